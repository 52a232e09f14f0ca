"""CloudTrail: records, and their delivery to S3.

Objects arrive a few minutes after the hour they cover. The records of one service stand together, so an object is not in the order of time, and now
and then a record is delivered a second time in a later object, as real trails do.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from engine.simulate.native import ids, writer
from engine.simulate.native.actors import AWS_HOME, CLI, Role
from engine.simulate.native.entries import Entry, Record

SOURCE = "aws.cloudtrail"
GLOBAL_HOSTS = {"iam": "iam.amazonaws.com", "signin": "signin.aws.amazon.com", "sts": "sts.amazonaws.com"}
REDELIVERED = 0.02


@dataclass(frozen=True, slots=True)
class AwsCaller:
    """Who calls: the ``userIdentity`` of the record, the account, and where from."""

    identity: Record
    account: str
    ip: str
    agent: str

    def via(self, service: str) -> AwsCaller:
        """The same identity, used by an AWS service on its behalf."""
        return replace(self, identity={**self.identity, "invokedBy": service}, ip=service, agent=service)


def iam_user(account: str, name: str, uid: str, key: str | None, ip: str, agent: str = CLI) -> AwsCaller:
    """An IAM user, with an access key unless ``key`` is None."""
    identity: Record = {"type": "IAMUser", "principalId": uid, "arn": f"arn:aws:iam::{account}:user/{name}", "accountId": account}
    if key is not None:
        identity["accessKeyId"] = key
    return AwsCaller({**identity, "userName": name}, account, ip, agent)


def event_selector(*, management: bool = True, kind: str = "All", bucket: str = "") -> Record:
    """What a trail is told to keep: calls that manage things, of ``kind`` (All, ReadOnly, WriteOnly), and those on objects of a bucket."""
    data = [{"type": "AWS::S3::Object", "values": [f"arn:aws:s3:::{bucket}/"]}] if bucket else []
    return {"readWriteType": kind, "includeManagementEvents": management, "dataResources": data, "excludeManagementEventSources": []}


def service(name: str, account: str) -> AwsCaller:
    """An AWS service acting by itself."""
    return AwsCaller({"type": "AWSService", "invokedBy": name}, account, name, name)


def session(role: Role, session_name: str, key: str, ip: str, agent: str, created: datetime, *, mfa: bool = False) -> AwsCaller:
    """A session of ``role`` that uses the issued key ``key``."""
    issuer = {"type": "Role", "principalId": role.uid, "arn": role.arn, "accountId": role.account, "userName": role.name}
    identity: Record = {
        "type": "AssumedRole",
        "principalId": f"{role.uid}:{session_name}",
        "arn": f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{session_name}",
        "accountId": role.account,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": issuer,
            "webIdFederationData": {},
            "attributes": {"creationDate": ids.seconds(created), "mfaAuthenticated": "true" if mfa else "false"},
        },
    }
    return AwsCaller(identity, role.account, ip, agent)


class CloudTrail:
    """The trails of all accounts."""

    def __init__(self, rng: random.Random, issue: Callable[[random.Random, str], str] = ids.access_key) -> None:
        """``issue`` makes the ids of issued keys for an account."""
        self.rng = rng
        self.issue = issue
        self.entries: list[Entry] = []

    def call(
        self,
        when: datetime,
        who: AwsCaller,
        endpoint: str,
        name: str,
        *,
        region: str = AWS_HOME,
        params: Record | None = None,
        result: Record | None = None,
        error: tuple[str, str] | None = None,
        write: bool = False,
        extra: Record | None = None,
        **more: Any,
    ) -> Entry:
        """One API call. ``endpoint`` is the service's short name; ``extra`` becomes ``additionalEventData``; ``more`` overrides record fields."""
        rng = self.rng
        record: Record = {
            "eventVersion": "1.11" if endpoint == "bedrock" else "1.10",
            "userIdentity": who.identity,
            "eventTime": ids.seconds(when),
            "eventSource": f"{endpoint}.amazonaws.com",
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": who.ip,
            "userAgent": who.agent,
        }
        if error is not None:
            record["errorCode"], record["errorMessage"] = error
        record |= {"requestParameters": params, "responseElements": None if error else result}
        if extra is not None:
            record["additionalEventData"] = extra
        request = ids.letters(rng, 16, ids.BASE32) if endpoint == "s3" else ids.guid(rng)
        record |= {
            "requestID": request,
            "eventID": ids.guid(rng),
            "readOnly": not write,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": who.account,
            "eventCategory": "Management",
        }
        record |= more
        if not who.ip.endswith(".amazonaws.com"):
            host = GLOBAL_HOSTS.get(endpoint, f"{'bedrock-runtime' if name in RUNTIME else endpoint}.{region}.amazonaws.com")
            record["tlsDetails"] = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": host}
        return self.add(when, record)

    def add(self, when: datetime, record: Record) -> Entry:
        """Take a finished record."""
        account = record["recipientAccountId"]
        uid = f"{record['eventID']}|{account}"
        delay = timedelta(seconds=self.rng.randrange(120, 590))
        entry = Entry(SOURCE, uid, when, when + delay, record, (account, record["awsRegion"]))
        self.entries.append(entry)
        return entry

    def assume(
        self,
        when: datetime,
        who: AwsCaller,
        role: Role,
        session_name: str,
        *,
        name: str = "AssumeRole",
        region: str = AWS_HOME,
        ip: str | None = None,
        agent: str | None = None,
        mfa: bool = False,
        params: Record | None = None,
        result: Record | None = None,
    ) -> tuple[AwsCaller, Entry]:
        """``who`` gets a session of ``role``: the caller to act as from now on, and the record of the role's account.

        When the caller is of another account, that account gets a record of its own with the same ``sharedEventID``.
        """
        rng = self.rng
        key = self.issue(rng, role.account)
        acting = session(role, session_name, key, ip or who.ip, agent or who.agent, when, mfa=mfa)
        issued = {
            "credentials": {
                "accessKeyId": key,
                "sessionToken": "HIDDEN_DUE_TO_SECURITY_REASONS",
                "expiration": ids.console_date(when + timedelta(hours=1)),
            },
            "assumedRoleUser": {"assumedRoleId": acting.identity["principalId"], "arn": acting.identity["arn"]},
        }
        more: Record = {"resources": [{"accountId": role.account, "type": "AWS::IAM::Role", "ARN": role.arn}]}
        if who.account != role.account or who.identity["type"] == "AWSService":
            more["sharedEventID"] = ids.guid(rng)
        asked = {"roleArn": role.arn, "roleSessionName": session_name, "durationSeconds": 3600} | (params or {})
        entry = self.call(
            when, who, "sts", name, region=region, params=asked, result=issued | (result or {}), recipientAccountId=role.account, **more
        )
        if who.account != role.account:
            self.add(when, entry.record | {"recipientAccountId": who.account, "eventID": ids.guid(rng)})
        return acting, entry

    def records(self) -> int:
        """Records delivered, second deliveries included. Call after `files`."""
        return self._delivered

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every object of the bucket: path and bytes."""
        rng = self.rng
        slots: dict[tuple[str, str, datetime], list[Record]] = defaultdict(list)
        for entry in sorted(self.entries, key=lambda e: (e.published, e.uid)):
            slot = entry.published.replace(minute=0, second=0, microsecond=0)
            slots[(*_pair(entry.route), slot)].append(entry.record)
        self._delivered = 0
        late: dict[tuple[str, str], list[Record]] = defaultdict(list)
        logs: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        for (account, region, slot), fresh in sorted(slots.items()):
            records = fresh + late[account, region]
            late[account, region] = [record for record in fresh if rng.random() < REDELIVERED]
            records.sort(key=lambda record: (record["eventSource"], record["eventName"], record["userIdentity"].get("arn", "")))
            stamp = slot + timedelta(minutes=60 + rng.randrange(0, 5) * 5)
            name = f"{account}_CloudTrail_{region}_{stamp:%Y%m%dT%H%MZ}_{ids.letters(rng, 16)}.json.gz"
            path = f"AWSLogs/{account}/CloudTrail/{region}/{stamp:%Y/%m/%d}/{name}"
            data = writer.gzipped(writer.compact({"Records": records}))
            self._delivered += len(records)
            if region == AWS_HOME and len(logs[account]) < 12:
                logs[account].append((path, data))
            yield path, data
        for account, objects in sorted(logs.items()):
            yield _digest(account, objects)

    _delivered = 0


RUNTIME = frozenset({"InvokeModel", "InvokeModelWithResponseStream", "Converse", "ConverseStream"})


def _pair(route: tuple[str, ...]) -> tuple[str, str]:
    account, region = route
    return account, region


def _digest(account: str, objects: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The digest file over the first log objects of the home region. It lists files, it holds no events."""
    bucket = "example-cloudtrail-logs"
    region = AWS_HOME
    day = "/".join(objects[0][0].split("/")[4:7])
    stamp = day.replace("/", "") + "T120000Z"
    moment = f"{day.replace('/', '-')}T12:00:00Z"
    body = {
        "awsAccountId": account,
        "digestStartTime": f"{day.replace('/', '-')}T00:00:00Z",
        "digestEndTime": moment,
        "digestS3Bucket": bucket,
        "digestPublicKeyFingerprint": "31e8b5433410dfb61a9dc45cc65b22ff",
        "digestSignatureAlgorithm": "SHA256withRSA",
        "previousDigestS3Bucket": None,
        "logFiles": [
            {"s3Bucket": bucket, "s3Object": path, "hashValue": hashlib.sha256(data).hexdigest(), "hashAlgorithm": "SHA-256"}
            for path, data in objects
        ],
    }
    name = f"{account}_CloudTrail-Digest_{region}_example-trail_{region}_{stamp}.json.gz"
    return f"AWSLogs/{account}/CloudTrail-Digest/{region}/{day}/{name}", writer.gzipped(writer.compact(body))
