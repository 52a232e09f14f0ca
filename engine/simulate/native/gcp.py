"""GCP Cloud Audit Logs, and their delivery by a log sink to Cloud Storage.

Cloud Storage names the hourly objects ``08:00:00_08:59:59_S0.json``. Colons cannot stand in file names everywhere, so here they are underscores:
``08_00_00_08_59_59_S0.json``. Nothing else differs.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.simulate.native import ids, writer
from engine.simulate.native.actors import GCP_PROJECT
from engine.simulate.native.entries import Entry, Record

SOURCE = "gcp.audit"
AUDIT = "type.googleapis.com/google.cloud.audit.AuditLog"


@dataclass(frozen=True, slots=True)
class GcpCaller:
    """Who calls: ``key`` is the resource name of a service-account key, ``delegation`` the accounts behind an impersonated one. ``federated``
    is the subject of a caller from elsewhere, who has no e-mail address.
    """

    email: str
    ip: str
    agent: str
    key: str = ""
    delegation: tuple[str, ...] = ()
    federated: str = ""

    @property
    def subject(self) -> str:
        return self.federated or ("serviceAccount:" if self.email.endswith(".gserviceaccount.com") else "user:") + self.email


@dataclass(frozen=True, slots=True)
class Target:
    """What is called: resource name, the permission it takes, and the monitored resource's type and labels."""

    name: str
    permission: str
    kind: str
    labels: tuple[tuple[str, str], ...] = ()


class AuditLog:
    """The audit logs of one project."""

    def __init__(self, rng: random.Random, project: str = GCP_PROJECT) -> None:
        self.rng = rng
        self.project = project
        self.entries: list[Entry] = []

    def call(
        self,
        when: datetime,
        who: GcpCaller,
        service: str,
        method: str,
        target: Target,
        *,
        log: str = "activity",
        request: Record | None = None,
        response: Record | None = None,
        code: int = 0,
        **payload: object,
    ) -> Entry:
        """One call. ``log`` is ``activity`` or ``data_access``; ``payload`` adds members to ``protoPayload``."""
        rng = self.rng
        stamp = ids.nanos(when, rng)
        granted: Record = {"resource": target.name, "permission": target.permission, "resourceAttributes": {}}
        if code == 0:
            granted["granted"] = True
        body: Record = {"@type": AUDIT}
        if code:
            body["status"] = {"code": code, "message": "PERMISSION_DENIED" if code == 7 else "NOT_FOUND"}
        body |= {
            "authenticationInfo": _authentication(who),
            "requestMetadata": {
                "callerIp": who.ip,
                "callerSuppliedUserAgent": f"{who.agent},gzip(gfe)",
                "requestAttributes": {"time": stamp, "auth": {}},
                "destinationAttributes": {},
            },
            "serviceName": f"{service}.googleapis.com",
            "methodName": method,
            "authorizationInfo": [granted],
            "resourceName": target.name,
        }
        if request is not None:
            body["request"] = request
        if response is not None and not code:
            body["response"] = response
        body |= payload
        log_name = f"projects/{self.project}/logs/cloudaudit.googleapis.com%2F{log}"
        insert = ids.letters(rng, 12, "abcdefghijklmnopqrstuvwxyz0123456789")
        received = when + timedelta(milliseconds=rng.randrange(300, 2400))
        record: Record = {
            "protoPayload": body,
            "insertId": insert,
            "resource": {"type": target.kind, "labels": {"project_id": self.project, **dict(target.labels)}},
            "timestamp": stamp,
            "severity": "ERROR" if code else "NOTICE" if log == "activity" else "INFO",
            "logName": log_name,
            "receiveTimestamp": ids.nanos(received, rng),
        }
        entry = Entry(SOURCE, f"{log_name}|{stamp}|{insert}", when, received, record, (log,))
        self.entries.append(entry)
        return entry

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every object of the bucket: path and bytes."""
        hours: dict[tuple[str, datetime], list[Record]] = defaultdict(list)
        for entry in sorted(self.entries, key=lambda e: (e.published, e.uid)):
            hours[entry.route[0], entry.published.replace(minute=0, second=0, microsecond=0)].append(entry.record)
        for (log, hour), records in sorted(hours.items()):
            yield f"cloudaudit.googleapis.com/{log}/{hour:%Y/%m/%d/%H}_00_00_{hour:%H}_59_59_S0.json", writer.lines(records)


def _authentication(who: GcpCaller) -> Record:
    authentication: Record = {"principalEmail": who.email} if who.email else {}
    authentication["principalSubject"] = who.subject
    if who.key:
        authentication["serviceAccountKeyName"] = who.key
    if who.delegation:
        authentication["serviceAccountDelegationInfo"] = [_delegate(name) for name in who.delegation]
    return authentication


def _delegate(name: str) -> Record:
    if "://" in name:
        return {"principalSubject": name}
    kind = "serviceAccount" if name.endswith(".gserviceaccount.com") else "user"
    return {"firstPartyPrincipal": {"principalEmail": name}, "principalSubject": f"{kind}:{name}"}


def deltas(role: str, members: Sequence[str], action: str = "ADD") -> Record:
    """``serviceData`` of a SetIamPolicy call that changes the members of one role."""
    return {
        "@type": "type.googleapis.com/google.iam.v1.logging.AuditData",
        "policyDelta": {"bindingDeltas": [{"action": action, "role": role, "member": member} for member in members]},
    }


def key_name(email: str, key: str, project: str = GCP_PROJECT) -> str:
    """Resource name of a service-account key as ``serviceAccountKeyName`` has it."""
    return f"//iam.googleapis.com/projects/{project}/serviceAccounts/{email}/keys/{key}"
