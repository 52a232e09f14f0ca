"""Entra ID: sign-ins of users, service principals and managed identities, and the directory's audit log."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from engine.simulate.native import azure, ids
from engine.simulate.native.actors import ARM, Person, ServicePrincipal
from engine.simulate.native.entries import Entry, Record

SIGN_IN = "entra.signin"
AUDIT = "entra.audit"
CONTAINERS = {
    "SignInLogs": "logs-signinlogs",
    "NonInteractiveUserSignInLogs": "logs-noninteractiveusersigninlogs",
    "ServicePrincipalSignInLogs": "logs-serviceprincipalsigninlogs",
    "ManagedIdentitySignInLogs": "logs-managedidentitysigninlogs",
    "AuditLogs": "logs-auditlogs",
}
APPS = {
    "portal": ("c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure Portal", ARM, "Windows Azure Service Management API"),
    "cli": ("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI", ARM, "Windows Azure Service Management API"),
    "office": ("4765445b-32c6-49b0-83e6-1d93765276ca", "OfficeHome", "00000003-0000-0000-c000-000000000000", "Microsoft Graph"),
    "aws": ("8b8a6449-9c30-4b3c-9d9e-0e6a0c2f5b11", "AWS IAM Identity", "8b8a6449-9c30-4b3c-9d9e-0e6a0c2f5b11", "AWS IAM Identity"),
    "gcp": ("2f5e8f63-7f0a-4f5b-8d0c-3f3f6f1f7a02", "Google Cloud", "2f5e8f63-7f0a-4f5b-8d0c-3f3f6f1f7a02", "Google Cloud"),
    "teams": ("1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams", "00000003-0000-0000-c000-000000000000", "Microsoft Graph"),
}
"""Client applications: application id, name, resource id and resource name; well-known ids of Microsoft's own applications."""
FAILURES = {
    50126: "Error validating credentials due to invalid username or password.",
    50074: "Strong Authentication is required.",
    50053: "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
    50058: "Session information is not sufficient for single-sign-on.",
    65001: "The user or administrator has not consented to use the application.",
    700016: "Application was not found in the directory.",
    50140: "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in.",
    7000215: "Invalid client secret is provided.",
}
HOME = {
    "city": "Lyon",
    "state": "Auvergne-Rhone-Alpes",
    "countryOrRegion": "FR",
    "geoCoordinates": {"latitude": 45.75, "longitude": 4.85},
}


class Directory:
    """One tenant's logs."""

    def __init__(self, rng: random.Random, tenant: str) -> None:
        self.rng = rng
        self.tenant = tenant
        self.entries: list[Entry] = []

    def user(
        self,
        when: datetime,
        person: Person,
        app: str,
        ip: str,
        *,
        error: int = 0,
        interactive: bool = True,
        mfa: bool = True,
        location: Record = HOME,
        asn: int = 64500,
        risk: str = "none",
        agent: str = "",
    ) -> Entry:
        """A sign-in of a person. ``record["properties"]["id"]`` is the sign-in that later tokens name; ``agent`` is another browser than usual."""
        app_id, app_name, resource, resource_name = APPS[app]
        category = "SignInLogs" if interactive else "NonInteractiveUserSignInLogs"
        sign_in = ids.guid(self.rng)
        need = "multiFactorAuthentication" if mfa else "singleFactorAuthentication"
        properties: Record = {
            "userDisplayName": person.display,
            "userPrincipalName": person.upn,
            "userId": person.oid,
            "appId": app_id,
            "appDisplayName": app_name,
            "ipAddress": ip,
            "status": _status(error),
            "clientAppUsed": "Browser" if app != "cli" else "Mobile Apps and Desktop clients",
            "userAgent": agent or person.browser if app != "cli" else "azsdk-python-identity/1.20.0 Python/3.12.9 (Linux-6.8.0-x86_64)",
            "deviceDetail": {"deviceId": "", "operatingSystem": "Windows10", "browser": "Chrome 134.0.0"} if app != "cli" else {"deviceId": ""},
            "location": location,
            "mfaDetail": {"authMethod": "Mobile app notification"} if mfa and not error else {},
            "conditionalAccessStatus": "success" if not error else "failure",
            "appliedConditionalAccessPolicies": [],
            "isInteractive": interactive,
            "tokenIssuerType": "AzureAD",
            "riskLevelAggregated": risk,
            "riskLevelDuringSignIn": risk,
            "riskState": "none",
            "riskEventTypes_v2": [],
            "resourceDisplayName": resource_name,
            "resourceId": resource,
            "homeTenantId": self.tenant,
            "authenticationRequirement": need,
            "userType": "Member",
            "autonomousSystemNumber": asn,
            "crossTenantAccessType": "none",
            "uniqueTokenIdentifier": ids.token_identifier(sign_in),
            "incomingTokenType": "none" if interactive else "refreshToken",
            "authenticationProtocol": "none",
        }
        return self._sign_in(when, category, sign_in, person.display, ip, error, properties)

    def principal(
        self, when: datetime, who: ServicePrincipal, ip: str, location: Record, *, error: int = 0, federated: str = "", asn: int = 64501
    ) -> Entry:
        """A sign-in of a service principal to Azure Resource Manager; ``federated`` is the id of the federated credential when no secret was used."""
        sign_in = ids.guid(self.rng)
        properties: Record = {
            "servicePrincipalId": who.oid,
            "servicePrincipalName": who.name,
            "appId": who.app_id,
            "appDisplayName": who.name,
            "servicePrincipalCredentialKeyId": "" if federated else who.key_id,
            "servicePrincipalCredentialThumbprint": "",
            **({"federatedCredentialId": federated} if federated else {}),
            "clientCredentialType": "federatedIdentityCredential" if federated else "clientSecret",
            "ipAddress": ip,
            "status": _status(error),
            "location": location,
            "conditionalAccessStatus": "notApplied",
            "isInteractive": False,
            "resourceDisplayName": "Azure Resource Manager",
            "resourceId": ARM,
            "homeTenantId": self.tenant,
            "autonomousSystemNumber": asn,
            "uniqueTokenIdentifier": ids.service_token_identifier(sign_in),
            "incomingTokenType": "none",
        }
        return self._sign_in(when, "ServicePrincipalSignInLogs", sign_in, who.name, ip, error, properties)

    def managed_identity(self, when: datetime, oid: str, name: str, *, app_id: str = "", federated: str = "", ip: str = "") -> Entry:
        """A sign-in of a managed identity; it has no address, unless it was entered by the federated credential of that id."""
        sign_in = ids.guid(self.rng)
        properties: Record = {
            "servicePrincipalId": oid,
            "servicePrincipalName": name,
            **({"appId": app_id} if app_id else {}),
            **({"federatedCredentialId": federated} if federated else {}),
            "ipAddress": ip,
            "status": _status(0),
            "location": {},
            "isInteractive": False,
            "resourceDisplayName": "Azure Key Vault",
            "resourceId": "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
            "uniqueTokenIdentifier": ids.service_token_identifier(sign_in),
        }
        return self._sign_in(when, "ManagedIdentitySignInLogs", sign_in, name, ip, 0, properties)

    def _sign_in(self, when: datetime, category: str, sign_in: str, name: str, ip: str, error: int, properties: Record) -> Entry:
        delay = timedelta(seconds=self.rng.randrange(45, 700))
        correlation = ids.guid(self.rng)
        inner = {
            "id": sign_in,
            "createdDateTime": ids.ticks(when, self.rng).replace("Z", "+00:00"),
            **properties,
            "correlationId": correlation,
            "originalRequestId": sign_in,
            "resourceTenantId": self.tenant,
        }
        record = self._envelope(when + delay, "Sign-in activity", category, correlation, name) | {
            "resultType": str(error),
            "resultSignature": "None" if error else "SUCCESS",
            "callerIpAddress": ip,
            "location": properties["location"].get("countryOrRegion", ""),
            "properties": inner,
        }
        if error:
            record["resultDescription"] = FAILURES[error]
        return self._add(SIGN_IN, category, sign_in, when, delay, record)

    def audit(
        self, when: datetime, activity: str, category: str, kind: str, by: Record, targets: Sequence[Record], *, details: Sequence[Record] = ()
    ) -> Entry:
        """A change of the directory. ``by`` is the ``initiatedBy`` object, ``kind`` the operationType."""
        correlation = ids.guid(self.rng)
        uid = f"Directory_{correlation}_{ids.letters(self.rng, 5)}_{self.rng.randrange(10**8)}"
        delay = timedelta(seconds=self.rng.randrange(20, 240))
        who = by.get("user") or by["app"]
        record = self._envelope(when + delay, activity, "AuditLogs", correlation, who.get("displayName") or "") | {
            "resultSignature": "None",
            "callerIpAddress": who.get("ipAddress", ""),
            "properties": {
                "id": uid,
                "category": category,
                "correlationId": correlation,
                "result": "success",
                "resultReason": "",
                "activityDisplayName": activity,
                "activityDateTime": ids.ticks(when, self.rng).replace("Z", "+00:00"),
                "loggedByService": "Core Directory",
                "operationType": kind,
                "userAgent": None,
                "initiatedBy": by,
                "targetResources": list(targets),
                "additionalDetails": list(details),
            },
        }
        return self._add(AUDIT, "AuditLogs", uid, when, delay, record)

    def _envelope(self, received: datetime, operation: str, category: str, correlation: str, identity: str) -> Record:
        return {
            "time": ids.ticks(received, self.rng),
            "resourceId": f"/tenants/{self.tenant}/providers/Microsoft.aadiam",
            "operationName": operation,
            "operationVersion": "1.0",
            "category": category,
            "tenantId": self.tenant,
            "durationMs": 0,
            "correlationId": correlation,
            "identity": identity,
            "Level": 4,
        }

    def _add(self, source: str, category: str, uid: str, when: datetime, delay: timedelta, record: Record) -> Entry:
        entry = Entry(source, f"{category}|{uid}", when, when + delay, record, (category,))
        self.entries.append(entry)
        return entry

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every blob of the containers: path and bytes."""
        for category, container in CONTAINERS.items():
            yield from azure.blobs(container, f"tenantId={self.tenant}", [e for e in self.entries if e.route == (category,)])


def changed(name: str, new: str, old: str | None = None) -> Record:
    """One ``modifiedProperties`` element; values are JSON texts, as Entra writes them."""
    return {"displayName": name, "oldValue": old, "newValue": new}


def _status(error: int) -> Record:
    if not error:
        return {"errorCode": 0, "additionalDetails": "MFA requirement satisfied by claim in the token"}
    return {"errorCode": error, "failureReason": FAILURES[error]}
