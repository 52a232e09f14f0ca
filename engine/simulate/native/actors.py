"""Who can act, and the places and clients records take as usual."""

from __future__ import annotations

from dataclasses import dataclass

AWS_HOME = "us-east-1"
AZURE_REGION = "eastus"
GCP_PROJECT = "example-ml-prod"
GCP_REGION = "us-central1"

ARM = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
"""Well-known application id of Azure Resource Manager."""

CLI = "aws-cli/2.24.10 md/awscrt#0.23.8 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.9 md/pyimpl#CPython cfg/retry-mode#standard"
SDK = "Boto3/1.37.4 md/Botocore#1.37.4 ua/2.0 os/linux#5.10.234 md/arch#x86_64 lang/python#3.12.9 md/pyimpl#CPython cfg/retry-mode#standard"


@dataclass(frozen=True, slots=True)
class Person:
    """One employee. ``aws_key`` is the long-lived access key of the IAM user of that name."""

    name: str
    display: str
    job: str
    oid: str
    home_ip: str
    browser: str
    aws_id: str
    aws_key: str
    litellm_hash: str

    @property
    def upn(self) -> str:
        return f"{self.name}@example.com"


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role."""

    account: str
    name: str
    uid: str

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role/{self.name}"


@dataclass(frozen=True, slots=True)
class ServicePrincipal:
    """An Entra service principal."""

    name: str
    oid: str
    app_id: str
    key_id: str
