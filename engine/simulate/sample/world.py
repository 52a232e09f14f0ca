"""Example Corp: its people, accounts, services and networks. Every address is from a documentation range, every id is invented."""

from __future__ import annotations

import random
from dataclasses import dataclass

from engine.simulate.native import ids
from engine.simulate.native.actors import GCP_PROJECT, Person, Role, ServicePrincipal

AWS_PROD = "111122223333"
AWS_DATA = "444455556666"
AWS_SECOND = "eu-west-1"

OFFICE_IP = "203.0.113.10"
CI_IPS = ("192.0.2.10", "192.0.2.11", "192.0.2.12")
AWS_NAT = {AWS_PROD: "192.0.2.40", AWS_DATA: "192.0.2.44"}
AZURE_IP = "192.0.2.80"
GCP_IP = "192.0.2.60"
POD_IP = "192.0.2.42"

BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:136.0) Gecko/20100101 Firefox/136.0",
)


PEOPLE = (
    ("alice.moreau", "Alice Moreau", "platform"),
    ("ben.okafor", "Ben Okafor", "developer"),
    ("chen.liu", "Chen Liu", "developer"),
    ("dana.petrov", "Dana Petrov", "security"),
    ("emil.haas", "Emil Haas", "data"),
    ("fatima.rahimi", "Fatima Rahimi", "data"),
    ("george.tan", "George Tan", "platform"),
    ("hana.sato", "Hana Sato", "support"),
    ("ivan.novak", "Ivan Novak", "finance"),
    ("julia.lindqvist", "Julia Lindqvist", "writer"),
    ("karim.aziz", "Karim Aziz", "developer"),
    ("lena.fischer", "Lena Fischer", "product"),
)
ROLES = (
    (AWS_PROD, "orders-api"),
    (AWS_PROD, "billing-worker"),
    (AWS_PROD, "search-indexer"),
    (AWS_PROD, "assistant-gateway"),
    (AWS_PROD, "support-agent"),
    (AWS_PROD, "github-deploy"),
    (AWS_PROD, "engineer"),
    (AWS_PROD, "monitoring-reader"),
    (AWS_DATA, "etl-runner"),
    (AWS_DATA, "feature-store"),
    (AWS_DATA, "report-writer"),
    (AWS_DATA, "github-deploy"),
    (AWS_DATA, "engineer"),
    (AWS_DATA, "monitoring-reader"),
    (AWS_DATA, "monitoring-hub"),
)
SERVICE_PRINCIPALS = ("sp-terraform", "sp-github-deploy", "sp-assistant-backend", "sp-backup-sync")
SERVICE_ACCOUNTS = ("ci-deployer", "vertex-runner", "etl-loader", "web-frontend")


@dataclass(frozen=True, slots=True)
class World:
    """Everything that exists before the first log line."""

    people: dict[str, Person]
    roles: dict[tuple[str, str], Role]
    principals: dict[str, ServicePrincipal]
    accounts: dict[str, tuple[str, str]]
    tenant: str
    subscription: str
    managed_identity: str
    leaked_key: str
    leaked_secret: str

    def role(self, account: str, name: str) -> Role:
        return self.roles[account, name]

    def jobs(self, *jobs: str) -> list[Person]:
        """The people who have one of these jobs, in a fixed order."""
        return [person for person in self.people.values() if person.job in jobs]

    def service_account(self, name: str) -> str:
        """E-mail address of a GCP service account."""
        return f"{name}@{GCP_PROJECT}.iam.gserviceaccount.com"

    @property
    def openai(self) -> str:
        """Resource id of the Azure OpenAI account."""
        return f"/subscriptions/{self.subscription}/resourceGroups/rg-ai/providers/Microsoft.CognitiveServices/accounts/excorp-openai"

    @property
    def gateway(self) -> str:
        """Resource id of the API Management service in front of it."""
        return f"/subscriptions/{self.subscription}/resourceGroups/rg-ai/providers/Microsoft.ApiManagement/service/excorp-apim"


def _person(rng: random.Random, index: int, name: str, display: str, job: str) -> Person:
    home = f"2001:db8:{index:x}::{rng.randrange(16, 4096):x}" if index % 4 == 3 else f"203.0.113.{40 + index}"
    # Detections leave out the keys of AWS's own documentation, which end in EXAMPLE; the key that leaks must not look like one of those.
    account = AWS_DATA if job == "data" else AWS_PROD
    key = ids.access_key(rng, account, kind="AKIA", tail="NOTREAL" if name == "ben.okafor" else "EXAMPLE")
    return Person(name, display, job, ids.guid(rng), home, BROWSERS[index % 3], ids.principal_id(rng, "AIDA"), key, ids.hexes(rng, 64))


def build(rng: random.Random) -> World:
    """The world of one seed."""
    people = {name: _person(rng, index, name, display, job) for index, (name, display, job) in enumerate(PEOPLE)}
    roles = {(account, name): Role(account, name, ids.principal_id(rng, "AROA")) for account, name in ROLES}
    principals = {name: ServicePrincipal(name, ids.guid(rng), ids.guid(rng), ids.guid(rng)) for name in SERVICE_PRINCIPALS}
    accounts = {name: (str(rng.randrange(10**20, 10**21)), ids.hexes(rng, 40)) for name in SERVICE_ACCOUNTS}
    return World(
        people=people,
        roles=roles,
        principals=principals,
        accounts=accounts,
        tenant=ids.guid(rng),
        subscription=ids.guid(rng),
        managed_identity=ids.guid(rng),
        leaked_key=people["ben.okafor"].aws_key,
        leaked_secret="n0tAr3alS3cret/" + ids.letters(rng, 15) + "EXAMPLEKEY",
    )
