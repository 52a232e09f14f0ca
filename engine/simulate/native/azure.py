"""Azure: the Activity Log, the hourly append blobs all Azure logs are delivered in, and who calls."""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.simulate.native import ids, writer
from engine.simulate.native.entries import Entry, Record

SOURCE = "azure.activity"
XML = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
MS = "http://schemas.microsoft.com/identity/claims"
AUTH = "http://schemas.microsoft.com/claims"
ROLES = {
    "Owner": "8e3af657a8ff443ca75c2fe8c4bcb635",
    "Contributor": "b24988ac618042a0ab8820f7382dd24c",
    "Reader": "acdd72a7338548efbd42f606fba81ae7",
}
"""Ids of built-in roles, the same in every tenant."""


@dataclass(frozen=True, slots=True)
class AzureCaller:
    """Who calls Azure Resource Manager: a user or a service principal, with the sign-in the token came from."""

    oid: str
    name: str
    app_id: str
    kind: str
    role: str
    ip: str
    sign_in: str


def blobs(category: str, scope: str, entries: Iterable[Entry]) -> Iterator[tuple[str, bytes]]:
    """Hourly append blobs ``PT1H.json`` of JSON lines, by the hour in which the record was received."""
    hours: dict[datetime, list[Record]] = defaultdict(list)
    for entry in sorted(entries, key=lambda e: (e.published, e.uid)):
        hours[entry.published.replace(minute=0, second=0, microsecond=0)].append(entry.record)
    for hour, records in sorted(hours.items()):
        yield f"insights-{category}/{scope}/{hour:y=%Y/m=%m/d=%d/h=%H}/m=00/PT1H.json", writer.lines(records)


class ActivityLog:
    """The Activity Log of one subscription, exported by a diagnostic setting."""

    def __init__(self, rng: random.Random, tenant: str, subscription: str) -> None:
        self.rng = rng
        self.tenant = tenant
        self.subscription = subscription
        self.entries: list[Entry] = []

    def operation(self, when: datetime, who: AzureCaller, name: str, resource: str, *, body: Record | None = None, error: str = "") -> list[Entry]:
        """One operation on ``resource`` (an ARM id): its records, Start first, under one correlationId. ``error`` makes it fail.

        ``body`` stands in the Start record as the request, in the last one as the response.
        """
        correlation = ids.guid(self.rng)
        result = ("Failure", f"Failed.{error}", "Forbidden") if error else ("Success", "Succeeded.OK", "OK")
        stages = (("Start", "Started.", ""), result)
        entries = []
        for stage, (kind, signature, status) in enumerate(stages):
            moment = when + timedelta(milliseconds=self.rng.randrange(80, 900) + 1500 * stage)
            entries.append(self._record(moment, who, name, resource, correlation, kind, signature, status, body))
        return entries

    def _record(
        self,
        when: datetime,
        who: AzureCaller,
        name: str,
        resource: str,
        correlation: str,
        kind: str,
        signature: str,
        status: str,
        body: Record | None,
    ) -> Entry:
        rng = self.rng
        scope = f"/subscriptions/{self.subscription}"
        properties: Record = {
            "eventCategory": "Administrative",
            "entity": resource,
            "message": name,
            "hierarchy": f"{self.tenant}/{self.subscription}",
        }
        if status:
            properties |= {"statusCode": status, "serviceRequestId": ids.guid(rng)}
        if body is not None:
            properties["requestbody" if kind == "Start" else "responseBody"] = writer.text(body)
        record: Record = {
            "RoleLocation": "East US",
            "Stamp": "ARMPRD",
            "ReleaseVersion": "6.2026.8.1+example.release_2026w08",
            "time": ids.ticks(when, rng),
            "resourceId": resource.upper(),
            "operationName": name.upper(),
            "category": "Administrative",
            "resultType": kind,
            "resultSignature": signature,
            "durationMs": "0" if kind == "Start" else str(rng.randrange(90, 2600)),
            "callerIpAddress": who.ip,
            "correlationId": correlation,
            "identity": {
                "authorization": _authorization(who, name, resource, scope, ids.hexes(rng, 32)),
                "claims": _claims(who, self.tenant, when),
            },
            "level": "Information" if kind != "Failure" else "Error",
            "location": "global",
            "tenantId": self.tenant,
            "properties": properties,
        }
        published = when + timedelta(seconds=rng.randrange(20, 240))
        entry = Entry(SOURCE, _identity(record), when, published, record)
        self.entries.append(entry)
        return entry

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every blob of the container: path and bytes."""
        return blobs("activity-logs", f"resourceId=/SUBSCRIPTIONS/{self.subscription.upper()}", self.entries)


def _identity(record: Record) -> str:
    """The event's identity: records of this shape carry no id, so what they say is hashed."""
    told = [record["time"], record["resourceId"].lower(), record["operationName"].lower(), record["correlationId"]]
    told += [record["resultType"], record["resultSignature"], record["properties"]]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()[:16]
    return f"{record['correlationId']}|{record['operationName']}|{record['time']}|{digest}"


def _authorization(who: AzureCaller, action: str, resource: str, scope: str, assignment: str) -> Record:
    evidence = {
        "role": who.role,
        "roleAssignmentScope": scope,
        "roleAssignmentId": assignment,
        "roleDefinitionId": ROLES[who.role],
        "principalId": who.oid.replace("-", ""),
        "principalType": "User" if who.kind == "user" else "ServicePrincipal",
    }
    return {"scope": resource, "action": action, "evidence": evidence}


def _claims(who: AzureCaller, tenant: str, when: datetime) -> Record:
    issued = int(when.timestamp()) // 3600 * 3600
    claims: Record = {
        "aud": "https://management.core.windows.net/",
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": str(issued),
        "nbf": str(issued),
        "exp": str(issued + 4500),
        "appid": who.app_id,
        "appidacr": "0" if who.kind == "user" else "1",
        "idtyp": "user" if who.kind == "user" else "app",
        "ipaddr": who.ip,
        f"{MS}/objectidentifier": who.oid,
        f"{MS}/tenantid": tenant,
        "uti": ids.token_identifier(who.sign_in),
        "ver": "1.0",
    }
    if who.kind != "user":
        return claims
    return claims | {
        f"{AUTH}/authnclassreference": "1",
        f"{AUTH}/authnmethodsreferences": "pwd,mfa",
        "name": who.name.split("@")[0].replace(".", " ").title(),
        f"{MS}/scope": "user_impersonation",
        f"{XML}/upn": who.name,
        f"{XML}/name": who.name,
    }
