"""Every kind of edge from records of every source, and chains over them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from engine.identity.chain import account
from engine.identity.edges import KINDS
from engine.identity.resolve import resolve
from engine.pipeline import Settings
from engine.pipeline.identity import graph
from tests.logs import event

NOW = datetime(2026, 3, 9, tzinfo=UTC)
TENANT, OTHER = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"
OID, SIGN_IN = "cccccccc-0000-4000-8000-00000000000c", "22608a25-1d9b-44b5-b0f2-cb94f06b2d00"
UTI = "JYpgIpsdtUSw8suU8GstAA"
STS = f"https://sts.windows.net/{TENANT}/"
SESSION, KEY = "AROAEXAMPLE:ana@example.com", "ASIAEXAMPLE000000001"
ARN = "arn:aws:sts::111122223333:assumed-role/Analyst/ana@example.com"


def edges_of(folder: Path, *records: dict[str, Any]) -> pl.DataFrame:
    path = folder / "logs.ndjson"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    found = graph([str(path)], Settings(now=NOW))
    assert found.report is not None
    assert (found.report.skips, found.report.rejects) == ((), ())
    return found.edges


def told(edges: pl.DataFrame) -> set[tuple[str, str, str]]:
    return set(edges.select("kind", "child", "parent").iter_rows())


def sts(number: int, name: str, who: dict[str, Any], response: dict[str, Any], time: str = "2026-03-01T08:00:00Z", **more: Any) -> dict[str, Any]:
    issued = {
        "credentials": {"accessKeyId": KEY, "expiration": "Mar 1, 2026, 9:00:00 PM"},
        "assumedRoleUser": {"assumedRoleId": SESSION, "arn": ARN},
    }
    parameters = {"roleArn": "arn:aws:iam::111122223333:role/Analyst", "roleSessionName": "ana@example.com"}
    changes: dict[str, Any] = {"requestParameters": parameters, **more, "responseElements": {**issued, **response}}
    return event(number, name, eventSource="sts.amazonaws.com", eventTime=time, userIdentity=who, **changes)


def saml(number: int = 1, time: str = "2026-03-01T08:00:00Z") -> dict[str, Any]:
    who = {"type": "SAMLUser", "principalId": "x:ana@example.com", "userName": "ana@example.com"}
    return sts(number, "AssumeRoleWithSAML", who, {"issuer": STS, "subject": "Ana@Example.com"}, time)


def sign_in(**changes: Any) -> dict[str, Any]:
    user = {"userId": OID, "userPrincipalName": "ana@example.com", "homeTenantId": TENANT, "resourceTenantId": TENANT, "userType": "Member"}
    inner = {"id": SIGN_IN, "createdDateTime": "2026-03-01T07:55:00Z", "status": {"errorCode": 0}, "appId": OTHER, **user, **changes}
    outer = {"time": "2026-03-01T07:56:00Z", "category": "SignInLogs", "operationName": "Sign-in activity", "tenantId": TENANT}
    return {**outer, "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam", "resultType": "0", "properties": inner}


def gcp(method: str, info: dict[str, Any], time: str = "2026-03-01T08:20:00Z", **payload: Any) -> dict[str, Any]:
    labels = payload.pop("labels", {})
    return {
        "insertId": f"{method}-{time}",
        "logName": "projects/p/logs/cloudaudit.googleapis.com%2Fdata_access",
        "timestamp": time,
        "resource": {"type": "service_account", "labels": labels},
        "protoPayload": {"serviceName": "sts.googleapis.com", "methodName": method, "authenticationInfo": info, **payload},
    }


def test_a_federated_session_is_a_user_of_the_directory(tmp_path: Path) -> None:
    edges = edges_of(tmp_path, saml(), sign_in())
    subject = f"saml.subject:https://sts.windows.net/{TENANT}|ana@example.com"
    assert told(edges) >= {
        ("saml_subject", f"aws.key:{KEY}", subject),
        ("saml_subject", f"aws.session:{SESSION}", subject),
        ("federated_subject", subject, f"entra.object:{OID}"),
        ("email_subject", subject, "email:ana@example.com"),
        ("acts_as", f"aws.key:{KEY}", f"aws.session:{SESSION}"),
        ("session_of", f"aws.arn:{ARN}", f"aws.session:{SESSION}"),
        ("role_of", f"aws.session:{SESSION}", "aws.role:arn:aws:iam::111122223333:role/Analyst"),
        ("signed_in", f"entra.token:{SIGN_IN}", f"entra.object:{OID}"),
        ("user_name", "email:ana@example.com", f"entra.object:{OID}"),
    }
    found = account(f"aws.key:{KEY}", edges)
    assert [step.kind for step in found.origins] == ["saml_subject", "federated_subject"]
    assert (found.principal, found.strength, found.spoofable) == (f"entra.object:{OID}", "strong", False)
    assert found.origins[0].until == datetime(2026, 3, 1, 21, tzinfo=UTC)
    back = account(f"entra.object:{OID}", edges)
    assert {f"aws.key:{KEY}", f"aws.session:{SESSION}", f"entra.token:{SIGN_IN}"} <= {step.child for step in back.made}


def test_open_id_tokens_name_workloads(tmp_path: Path) -> None:
    github = {
        "provider": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com",
        "subjectFromWebIdentityToken": "repo:o/r:ref",
    }
    entra = {"provider": f"arn:aws:iam::111122223333:oidc-provider/sts.windows.net/{TENANT}/", "subjectFromWebIdentityToken": OID}
    who = {"type": "WebIdentityUser", "principalId": "x", "userName": "repo:o/r:ref"}
    first = told(edges_of(tmp_path, sts(1, "AssumeRoleWithWebIdentity", who, github)))
    assert ("oidc_subject", f"aws.key:{KEY}", "oidc.subject:token.actions.githubusercontent.com|repo:o/r:ref") in first
    second = told(edges_of(tmp_path, sts(2, "AssumeRoleWithWebIdentity", who, entra)))
    assert ("federated_subject", f"oidc.subject:sts.windows.net/{TENANT}|{OID}", f"entra.object:{OID}") in second


def test_source_identities_outlast_role_chains_and_services_are_no_origin(tmp_path: Path) -> None:
    chained = {"type": "AssumedRole", "principalId": "AROAFIRST:x", "arn": ARN, "accessKeyId": "ASIAFIRST", "accountId": "1"}
    session = {"sessionContext": {"sourceIdentity": "ana@example.com"}}
    edges = edges_of(tmp_path, sts(1, "AssumeRole", {**chained, **session}, {}))
    assert account(f"aws.key:{KEY}", edges).principal == "email:ana@example.com"
    assert ("issued_key", f"aws.key:{KEY}", "aws.key:ASIAFIRST") in told(edges)
    service = edges_of(tmp_path, sts(2, "AssumeRole", {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, {}, requestParameters={}))
    assert ("issued_by_service", f"aws.session:{SESSION}", "aws.service:ec2.amazonaws.com") in told(service)
    assert account(f"aws.key:{KEY}", service).principal != "aws.service:ec2.amazonaws.com"


def test_two_accounts_tell_of_one_user(tmp_path: Path) -> None:
    home = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana", "principalId": "AIDAANA", "accountId": "111122223333"}
    abroad = {"type": "AWSAccount", "principalId": "AIDAANA", "accountId": "111122223333"}
    shared = {"sharedEventID": "shared-1"}
    edges = edges_of(
        tmp_path, sts(1, "AssumeRole", home, {}, **shared), sts(2, "AssumeRole", abroad, {}, **shared, recipientAccountId="444455556666")
    )
    found = account(f"aws.session:{SESSION}", edges)
    assert (found.principal, found.contested) == ("aws.user:arn:aws:iam::111122223333:user/ana", False)
    assert account("aws.user:AIDAANA", edges).principal == found.principal


def test_a_created_key_acts_as_its_owner_and_names_its_maker(tmp_path: Path) -> None:
    made = {"accessKey": {"accessKeyId": "AKIAEXAMPLENEW", "userName": "robot"}}
    edges = edges_of(tmp_path, event(1, "CreateAccessKey", eventSource="iam.amazonaws.com", responseElements=made))
    assert told(edges) >= {
        ("key_of", "aws.key:AKIAEXAMPLENEW", "aws.user:arn:aws:iam::111122223333:user/robot"),
        ("created_key", "aws.key:AKIAEXAMPLENEW", "aws.user:arn:aws:iam::111122223333:user/mallory"),
    }
    assert account("aws.key:AKIAEXAMPLENEW", edges).principal == "aws.user:arn:aws:iam::111122223333:user/robot"


def test_identity_center_names_its_sessions_and_other_session_names_are_spoofable(tmp_path: Path) -> None:
    behalf = {"userId": "u-1", "identityStoreArn": "arn:aws:identitystore::111122223333:identitystore/d-1"}
    arn = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_1/ana@example.com"
    who = {"type": "AssumedRole", "principalId": SESSION, "arn": arn, "accessKeyId": KEY, "accountId": "111122223333"}
    edges = edges_of(tmp_path, event(1, userIdentity={**who, "onBehalfOf": behalf}))
    found = account(f"aws.key:{KEY}", edges)
    assert [step.kind for step in found.origins] == ["acts_as", "sso_user", "sso_name"]
    assert (found.principal, found.strength, found.spoofable) == ("email:ana@example.com", "medium", False)
    edges = edges_of(tmp_path, event(1, userIdentity={**who, "arn": ARN}))
    found = account(f"aws.key:{KEY}", edges)
    assert (found.principal, found.strength, found.spoofable) == ("email:ana@example.com", "weak", True)


def test_tokens_and_claims_of_azure(tmp_path: Path) -> None:
    schema = "http://schemas.microsoft.com/identity/claims/objectidentifier"
    upn = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
    call = {
        "time": "2026-03-01T08:10:00Z",
        "resourceId": "/subscriptions/dddddddd-0000-4000-8000-00000000000d/resourceGroups/g",
        "operationName": "Microsoft.Authorization/roleAssignments/write",
        "category": "Administrative",
        "correlationId": "c-1",
        "identity": {"claims": {schema: OID, upn: "ana@example.com", "uti": UTI, "appid": OTHER, "xms_mirid": "/subscriptions/x/m"}},
    }
    guest = {**call, "correlationId": "c-2", "identity": {"claims": {schema: OTHER, upn: "bo_example.net#EXT#@t.onmicrosoft.com"}}}
    found = told(edges_of(tmp_path, sign_in(), call, guest))
    assert found >= {
        ("signed_in", f"entra.token:{SIGN_IN}", f"entra.object:{OID}"),
        ("acts_as", f"entra.token:{SIGN_IN}", f"entra.object:{OID}"),
        ("user_name", "email:ana@example.com", f"entra.object:{OID}"),
        ("app_of", f"entra.token:{SIGN_IN}", f"entra.app:{OTHER}"),
        ("managed_identity", f"entra.object:{OID}", "azure.resource:/subscriptions/x/m"),
        ("guest_of", f"entra.object:{OTHER}", "email:bo@example.net"),
    }


def test_service_principals_and_their_credentials(tmp_path: Path) -> None:
    principal = {"userId": "", "userPrincipalName": "", "servicePrincipalId": OTHER, "appId": TENANT, "servicePrincipalCredentialKeyId": OID}
    found = told(edges_of(tmp_path, sign_in(**principal, federatedCredentialId="dddddddd-0000-4000-8000-00000000000d")))
    assert found >= {
        ("signed_in", f"entra.token:{SIGN_IN}", f"entra.object:{OTHER}"),
        ("app_of", f"entra.object:{OTHER}", f"entra.app:{TENANT}"),
        ("used_key", f"entra.token:{SIGN_IN}", f"entra.key:{OID}"),
        ("used_federation", f"entra.token:{SIGN_IN}", "entra.key:dddddddd-0000-4000-8000-00000000000d"),
    }
    assert not any(kind == "signed_in" for kind, *_ in told(edges_of(tmp_path, sign_in(status={"errorCode": 50126}))))


def test_added_credentials(tmp_path: Path) -> None:
    fresh = f'["[KeyIdentifier={OTHER},KeyType=Password]"]'
    federated = json.dumps([{"Name": "n", "Issuer": "https://token.actions.githubusercontent.com", "Subject": "repo:o/r:ref"}])
    changes = [
        {"displayName": "KeyDescription", "oldValue": "[]", "newValue": fresh},
        {"displayName": "FederatedIdentityCredentials", "oldValue": "[]", "newValue": federated},
    ]
    record = {
        "time": "2026-03-01T08:00:00Z",
        "category": "AuditLogs",
        "operationName": "Update application",
        "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
        "properties": {
            "id": "Directory_1",
            "activityDateTime": "2026-03-01T08:00:00Z",
            "activityDisplayName": "Update application",
            "initiatedBy": {"user": {"id": OID, "userPrincipalName": "ana@example.com"}},
            "targetResources": [{"id": TENANT, "type": "Application", "modifiedProperties": changes}],
        },
    }
    assert told(edges_of(tmp_path, record)) >= {
        ("created_key", f"entra.key:{OTHER}", f"entra.object:{OID}"),
        ("federated_credential", "oidc.subject:token.actions.githubusercontent.com|repo:o/r:ref", f"entra.object:{TENANT}"),
        ("user_name", "email:ana@example.com", f"entra.object:{OID}"),
    }


def test_from_the_directory_over_aws_into_gcp(tmp_path: Path) -> None:
    mapped = f"principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/{ARN}"
    robot = "robot@p.iam.gserviceaccount.com"
    exchange = gcp("google.identity.sts.v1.SecurityTokenService.ExchangeToken", {"principalSubject": ARN}, metadata={"mapped_principal": mapped})
    borrow = gcp(
        "GenerateAccessToken",
        {"principalSubject": mapped},
        "2026-03-01T08:21:00Z",
        labels={"email_id": robot, "unique_id": "1234"},
        request={"name": robot},
    )
    links = [{"principalSubject": mapped}]
    call = gcp("storage.objects.get", {"principalEmail": robot, "serviceAccountDelegationInfo": links}, "2026-03-01T08:22:00Z")
    alone = gcp("storage.objects.get", {"principalEmail": robot}, "2026-03-01T08:30:00Z")
    edges = edges_of(tmp_path, sign_in(), saml(), exchange, borrow, call, alone)
    assert told(edges) >= {
        ("exchanged", f"gcp.principal:{mapped}", f"aws.arn:{ARN}"),
        ("impersonated", f"gcp.account:{robot}", f"gcp.principal:{mapped}"),
        ("delegated", f"gcp.account:{robot}", f"gcp.principal:{mapped}"),
        ("federated_subject", "oidc.subject:accounts.google.com|1234", f"gcp.account:{robot}"),
    }
    asked = pl.DataFrame({"entity": [f"gcp.account:{robot}"] * 2, "time": [datetime(2026, 3, 1, 8, minute, tzinfo=UTC) for minute in (22, 30)]})
    assert resolve(asked, edges)["principal"].to_list() == [f"entra.object:{OID}", f"gcp.account:{robot}"]


def test_keys_of_service_accounts_and_service_agents(tmp_path: Path) -> None:
    robot = "robot@p.iam.gserviceaccount.com"
    made = gcp(
        "google.iam.admin.v1.CreateServiceAccountKey",
        {"principalEmail": "ana@example.com"},
        labels={"email_id": robot},
        response={"name": f"projects/p/serviceAccounts/{robot}/keys/k1"},
    )
    agent = [{"firstPartyPrincipal": {"principalEmail": "service-1@compute-system.iam.gserviceaccount.com"}}]
    name = f"//iam.googleapis.com/projects/p/serviceAccounts/{robot}/keys/k1"
    used = gcp("storage.objects.get", {"principalEmail": robot, "serviceAccountKeyName": name, "serviceAccountDelegationInfo": agent})
    found = told(edges_of(tmp_path, made, used))
    assert found == {
        ("key_of", "gcp.key:k1", f"gcp.account:{robot}"),
        ("created_key", "gcp.key:k1", "email:ana@example.com"),
    }


def test_requests_join_inference_to_its_caller(tmp_path: Path) -> None:
    invocation = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-03-01T08:00:00Z",
        "accountId": "111122223333",
        "region": "eu-west-1",
        "requestId": "r-1",
        "operation": "Converse",
        "modelId": "m",
        "identity": {"arn": ARN},
    }
    gateway = {
        "id": "c1",
        "litellm_call_id": "c1",
        "call_type": "acompletion",
        "startTime": 1772352000.0,
        "endTime": 1772352001.0,
        "model": "m",
        "metadata": {"user_api_key_hash": "h-1", "user_api_key_user_email": "ana@example.com"},
    }
    found = told(edges_of(tmp_path, event(1, "Converse", eventSource="bedrock.amazonaws.com", requestID="r-1"), invocation, gateway))
    assert found >= {
        ("request_of", "request:aws|r-1", "aws.user:arn:aws:iam::111122223333:user/mallory"),
        ("request_of", "request:aws|r-1", f"aws.arn:{ARN}"),
        ("gateway_user", "ai.key:h-1", "email:ana@example.com"),
    }


def test_every_kind_has_a_rule_in_a_mapping() -> None:
    from connectors.sources import load_mappings

    named = {rule.kind for mapping in load_mappings().values() for rule in (*mapping.identities.issuing, *mapping.identities.acting)}
    assert named == set(KINDS)
