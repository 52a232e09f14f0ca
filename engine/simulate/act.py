"""What a campaign is played with: a clock, an actor's network, victims of its own, the record makers, and a pen for the truth."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from engine.simulate import chains, lexicon
from engine.simulate.company import Company, Employee, ManagedIdentity, ServiceAccount, ServiceUser, tool
from engine.simulate.ground import Ground
from engine.simulate.native import ids
from engine.simulate.native.actors import Role, ServicePrincipal
from engine.simulate.native.aws import AwsCaller
from engine.simulate.native.azure import AzureCaller
from engine.simulate.native.entries import Entry, Record
from engine.simulate.native.gcp import GcpCaller, Target
from engine.simulate.truth import Link, Stage, Told

PACES = {"fast": (90.0, 900.0), "steady": (900.0, 7200.0), "slow": (3 * 3600.0, 20 * 3600.0)}
"""Seconds between the stages of a campaign."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Campaign:
    """A scenario: ``play`` acts it out. ``paces`` are the speeds it makes sense at; ``attack`` is false for decoys."""

    title: str
    play: Callable[[Act], None]
    paces: tuple[str, ...] = ("fast", "steady", "slow")
    attack: bool = True


class Act:
    """One campaign on its way. ``number`` tells its victims from those of other campaigns."""

    def __init__(self, uid: str, number: int, campaign: Campaign, ground: Ground, rng: random.Random, start: datetime, end: datetime) -> None:
        self.rng = rng
        self.g = ground
        self.company: Company = ground.company
        self.now = start
        self.end = end
        self.number = number
        self.told = Told(uid, campaign.title, campaign.attack, rng.choice(campaign.paces))
        self.told.actor = f"actor-{ids.hexes(rng, 6)}"
        self.agent = tool(rng)
        self.exits: list[str] = []

    # the clock

    def wait(self, low: float, high: float) -> datetime:
        """Let ``low`` to ``high`` seconds pass; near the end of the simulation time runs slower, so that everything still fits."""
        left = max((self.end - self.now).total_seconds(), 1.0)
        self.now += timedelta(seconds=min(self.rng.uniform(low, high), left / 12))
        return self.now

    @contextmanager
    def stage(self, name: str, *components: str, tags: Sequence[str] = ()) -> Iterator[Stage]:
        """Everything recorded inside belongs to this stage. Between stages the campaign's pace decides how long it rests."""
        if self.told.stages:
            self.wait(*PACES[self.told.pace])
        stage = Stage(name, components, tuple(tags))
        piles = self.g.piles()
        marks = [len(pile) for pile in piles]
        yield stage
        for pile, mark in zip(piles, marks, strict=True):
            stage.entries += pile[mark:]
        if not stage.entries:
            raise ValueError(f"stage {name!r} of {self.told.uid} left no record")
        self.told.stages.append(stage)

    # who and where from

    def exit(self) -> str:
        """An address of the actor's; mostly the same, now and then another."""
        return self.exits[0] if self.rng.random() < 0.7 else self.rng.choice(self.exits)

    def pick(self, pool: Sequence[T], slot: int = 0) -> T:
        """The campaign's own member of a pool of victims."""
        return pool[(self.number + 17 * slot) % len(pool)]

    def person(self, slot: int = 0) -> Employee:
        return self._known(self.pick(self.company.people, slot), lambda p: p.upn)

    def user(self, slot: int = 0) -> ServiceUser:
        return self._known(self.pick(self.company.users, slot), lambda u: u.name)

    def task(self, slot: int = 0) -> Role:
        return self._known(self.pick(self.company.tasks, slot), lambda r: f"{r.account}/{r.name}")

    def principal(self, slot: int = 0) -> ServicePrincipal:
        return self._known(self.pick(self.company.principals, slot), lambda p: p.name)

    def identity(self, slot: int = 0) -> ManagedIdentity:
        return self._known(self.pick(self.company.identities, slot), lambda i: i.name)

    def account(self, slot: int = 0) -> ServiceAccount:
        return self._known(self.pick(self.company.service_accounts, slot), lambda a: a.email)

    def _known(self, victim: T, name: Callable[[T], str]) -> T:
        self.told.principals.setdefault(name(victim), [])
        return victim

    def is_also(self, name: str, *entities: str) -> None:
        """Identifiers that were in the hands of principal ``name`` during the campaign."""
        self.told.principals.setdefault(name, []).extend(entities)

    def link(self, kind: str, parent: str, child: str, clouds: tuple[str, str], *proof: Entry) -> None:
        """The truth about one identity becoming another; without ``proof`` the last record made proves it."""
        found = proof or (max((pile[-1] for pile in self.g.piles() if pile), key=lambda entry: entry.time),)
        self.told.links.append(Link(kind, parent, child, clouds, tuple(entry.uid for entry in found)))

    def foreign(self) -> str:
        """The actor's own AWS account."""
        return self.pick(self.company.foreign_accounts)

    def backdoor(self) -> str:
        return f"{self.rng.choice(lexicon.BACKDOORS)}{self.rng.choice(('', '-2', '-tmp', str(self.rng.randrange(10, 99))))}"

    # records

    def aws(self, who: AwsCaller, service: str, name: str, *, after: tuple[float, float] = (2.0, 25.0), **given: Any) -> Entry:
        """A CloudTrail call, some seconds after what came before. Keywords as `CloudTrail.call` has them."""
        given.setdefault("region", "us-east-1" if service == "iam" else self.company.regions[0])
        if given.get("data"):
            del given["data"]
            given |= {"managementEvent": False, "eventCategory": "Data"}
        return self.g.trail.call(self.wait(*after), who, service, name, **given)

    def s3(self, who: AwsCaller, name: str, bucket: str, key: str, *, size: int = 0, source: str = "", **params: Any) -> Entry:
        """A data event of S3 on one object; ``source`` is what a copy was made from."""
        arn = f"arn:aws:s3:::{bucket}"
        resources = [{"type": "AWS::S3::Object", "ARN": f"{arn}/{key}"}, {"accountId": who.account, "type": "AWS::S3::Bucket", "ARN": arn}]
        asked = {
            "bucketName": bucket,
            "key": key,
            "Host": f"{bucket}.s3.amazonaws.com",
            **params,
        }
        if source:
            asked["x-amz-copy-source"] = source
        extra = {"bytesTransferredIn": size if name == "PutObject" else 0, "bytesTransferredOut": size if name == "GetObject" else 0}
        write = not name.startswith("Get")
        return self.aws(who, "s3", name, params=asked, extra=extra, resources=resources, write=write, data=True, after=(0.3, 3.0))

    def azure(self, who: AzureCaller, operation: str, resource: str, *, body: Record | None = None, error: str = "") -> list[Entry]:
        """An Azure Activity operation; ``resource`` is an ARM id."""
        return self.g.activity.operation(self.wait(5, 45), who, operation, resource, body=body, error=error)

    def gcp(
        self, who: GcpCaller, service: str, method: str, resource: str, permission: str, *, kind: str = "audited_resource", **given: Any
    ) -> Entry:
        """A GCP audit entry. Keywords as `AuditLog.call` has them."""
        labels = tuple(given.pop("labels", {"service": f"{service}.googleapis.com", "method": method}).items())
        return self.g.gcp.call(self.wait(2, 30), who, service, method, Target(resource, permission, kind, labels), **given)

    def directory(self, by: Record, activity: str, category: str, kind: str, *targets: Record, details: Sequence[Record] = ()) -> Entry:
        """A change in Entra ID."""
        return self.g.directory.audit(self.wait(5, 60), activity, category, kind, by, targets, details=details)

    # identities

    def session(self, who: AwsCaller, role: Role, name: str, **given: Any) -> AwsCaller:
        """``who`` assumes ``role``, and the truth knows it."""
        acting, entry = self.g.trail.assume(self.wait(3, 20), who, role, name, **given)
        self.link("assumed_role", _aws(who), _aws(acting), ("aws", "aws"), entry)
        return acting

    def by_saml(self, person: Employee, role: Role, ip: str) -> AwsCaller:
        """A person's sign-in to the AWS application in Entra, and the session it opens."""
        sign_in = self.g.directory.user(self.wait(3, 20), person, "aws", ip, location=chains.location(person.place), asn=chains.network(ip))
        who = chains.saml(self.g, self.wait(1, 4), person, role, ip, self.agent)
        self.link("saml", f"email:{person.upn}", _aws(who), ("azure", "aws"), sign_in, self.g.trail.entries[-1])
        return who

    def by_web_identity(self, role: Role, issuer: str, audience: str, subject: str, session: str, ip: str, parent: str, cloud: str) -> AwsCaller:
        """A workload's way into AWS by OIDC; ``parent`` is who holds the token, in which cloud."""
        who = chains.web_identity(self.g, self.wait(2, 15), role, issuer, audience, subject, session, ip, self.agent, region=self.company.regions[0])
        self.link("oidc", parent, _aws(who), (cloud, "aws"), self.g.trail.entries[-1])
        return who

    def by_exchange(self, external: str, pool: str, subject: str, ip: str, parent: str, cloud: str) -> GcpCaller:
        """A workload's way into GCP by token exchange."""
        who = chains.exchange(self.g, self.wait(2, 15), external, pool, subject, ip, self.agent)
        self.link("token_exchange", parent, f"gcp.principal:{who.federated}", (cloud, "gcp"), self.g.gcp.entries[-1])
        return who

    def impersonated(self, who: GcpCaller, account: ServiceAccount, **given: Any) -> GcpCaller:
        """A service account acted as by token."""
        acting = chains.impersonate(self.g, self.wait(2, 15), who, account, **given)
        parent = f"gcp.account:{who.email}" if who.email else f"gcp.principal:{who.federated}"
        self.link("impersonation", parent, f"gcp.account:{account.email}", ("gcp", "gcp"), self.g.gcp.entries[-1])
        return acting

    def in_azure(self, who: ServicePrincipal, ip: str, role: str = "Contributor", *, federated: str = "") -> AzureCaller:
        """A service principal's sign-in from where the actor is."""
        caller = chains.azure_principal(self.g, self.wait(3, 20), who, ip, role, place=self.rng.randrange(len(lexicon.PLACES)), federated=federated)
        self.is_also(who.name, f"entra.object:{who.oid}", f"entra.app:{who.app_id}")
        return caller


def _aws(who: AwsCaller) -> str:
    """The entity text of a caller: its session where it is one, else its key, else its name."""
    identity = who.identity
    if identity["type"] == "AssumedRole":
        return f"aws.session:{identity['principalId']}"
    if "accessKeyId" in identity:
        return f"aws.key:{identity['accessKeyId']}"
    return (
        f"oidc.subject:{identity.get('identityProvider', '')}|{identity.get('userName', '')}"
        if "userName" in identity
        else "aws.service:" + str(identity.get("invokedBy", ""))
    )
