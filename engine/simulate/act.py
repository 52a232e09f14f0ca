"""What a campaign is played with: a clock, an actor's network, victims of its own, the record makers, and a pen for the truth."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from engine.simulate import chains, lexicon
from engine.simulate.company import Company, Employee, ManagedIdentity, ServiceAccount, ServiceUser, browser, gcp_tool, tool
from engine.simulate.ground import Ground
from engine.simulate.native import ids
from engine.simulate.native.actors import Role, ServicePrincipal
from engine.simulate.native.aws import AwsCaller
from engine.simulate.native.azure import AzureCaller
from engine.simulate.native.bedrock import Exchange
from engine.simulate.native.entries import Entry, Record
from engine.simulate.native.gcp import GcpCaller, Target
from engine.simulate.tokens import Tokens
from engine.simulate.truth import Link, Stage, Told

PACES = {"fast": (90.0, 900.0), "steady": (900.0, 7200.0), "slow": (3 * 3600.0, 20 * 3600.0)}
"""Seconds between the stages of a campaign."""
TEMPO = {"fast": (1.0, 1.0), "steady": (1.0, 3.0), "slow": (4.0, 16.0)}
"""How many times longer everything takes inside a stage."""
NUMBERS = 64
"""Numbers of campaigns and decoys are below."""
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
        self.tempo = rng.uniform(*TEMPO[self.told.pace])
        self.told.actor = f"actor-{ids.hexes(rng, 6)}"
        self.agent = tool(rng)
        self.gcp_agent = gcp_tool(rng)
        self.browser = browser(rng, rng.randrange(9))
        self.exits: list[str] = []
        self._tokens = Tokens()
        self._names: set[str] = set()

    # the clock

    def wait(self, low: float, high: float) -> datetime:
        """Let ``low`` to ``high`` seconds pass, more for slow actors."""
        return self._pass(self.rng.uniform(low, high) * self.tempo)

    def _pass(self, seconds: float) -> datetime:
        """Near the end of the simulation time runs slower, so that everything still fits."""
        left = max((self.end - self.now).total_seconds(), 1.0)
        self.now += timedelta(seconds=min(seconds, left / 12))
        return self.now

    @contextmanager
    def stage(self, name: str, *components: str, tags: Sequence[str] = ()) -> Iterator[Stage]:
        """Everything recorded inside belongs to this stage. Between stages the campaign's pace decides how long it rests."""
        if self.told.stages:
            self._pass(self.rng.uniform(*PACES[self.told.pace]))
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
        """A name for what the actor makes, one that neither it nor any other campaign gave to anything: attackers do not share what they make."""
        while True:
            number = 10 + self.number + NUMBERS * self.rng.randrange(14)
            name = f"{self.rng.choice(lexicon.BACKDOORS)}{self.rng.choice(('', '-', '-tmp'))}{number}"
            if name not in self._names:
                self._names.add(name)
                return name

    # records

    def aws(self, who: AwsCaller, service: str, name: str, *, after: tuple[float, float] = (2.0, 25.0), **given: Any) -> Entry:
        """A CloudTrail call, some seconds after what came before. Keywords as `CloudTrail.call` has them."""
        moment = self.wait(*after)
        who = self._tokens.fresh(who, lambda: self.now)
        given.setdefault("region", "us-east-1" if service == "iam" else self.company.regions[0])
        if given.get("data"):
            del given["data"]
            given |= {"managementEvent": False, "eventCategory": "Data"}
        return self.g.trail.call(max(moment, self.now), who, service, name, **given)

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
        extra = {
            "SignatureVersion": "SigV4",
            "AuthenticationMethod": "AuthHeader",
            "bytesTransferredIn": size if name == "PutObject" else 0,
            "bytesTransferredOut": size if name == "GetObject" else 0,
        }
        write = not name.startswith("Get")
        return self.aws(who, "s3", name, params=asked, extra=extra, resources=resources, write=write, data=True, after=(0.3, 3.0))

    def azure(self, who: AzureCaller, operation: str, resource: str, *, body: Record | None = None, error: str = "") -> list[Entry]:
        """An Azure Activity operation; ``resource`` is an ARM id."""
        self.wait(5, 45)
        who = self._tokens.fresh(who, lambda: self.now)
        return self.g.activity.operation(self.now, who, operation, resource, body=body, error=error)

    def gcp(
        self, who: GcpCaller, service: str, method: str, resource: str, permission: str, *, kind: str = "audited_resource", **given: Any
    ) -> Entry:
        """A GCP audit entry. Keywords as `AuditLog.call` has them."""
        labels = tuple(given.pop("labels", {"service": f"{service}.googleapis.com", "method": method}).items())
        self.wait(2, 30)
        who = self._tokens.fresh(who, lambda: self.now)
        return self.g.gcp.call(self.now, who, service, method, Target(resource, permission, kind, labels), **given)

    def directory(self, by: Record, activity: str, category: str, kind: str, *targets: Record, details: Sequence[Record] = ()) -> Entry:
        """A change in Entra ID."""
        return self.g.directory.audit(self.wait(5, 60), activity, category, kind, by, targets, details=details)

    def converse(self, who: AwsCaller, call: Exchange, after: tuple[float, float] = (1.0, 9.0), **given: Any) -> None:
        """A Bedrock call in both logs. Keywords as `Ground.converse` has them."""
        self.wait(*after)
        given.setdefault("region", self.company.regions[0])
        who = self._tokens.fresh(who, lambda: self.now)
        self.g.converse(self.now, who, call, **given)

    def generate(self, who: GcpCaller, model: str, prompt: str, answer: str, *, code: int = 0) -> None:
        """A Gemini call in both logs."""
        self.wait(0.5, 10)
        who = self._tokens.fresh(who, lambda: self.now)
        self.g.generate(self.now, who, model, prompt, answer, code=code)

    # identities; each is got again when it has ended

    def session(self, who: AwsCaller, role: Role, name: str, **given: Any) -> AwsCaller:
        """``who`` assumes ``role``, and the truth knows it."""
        self.wait(3, 20)
        who = self._tokens.fresh(who, lambda: self.now)
        acting, entry = self.g.trail.assume(self.now, who, role, name, **given)
        self.link("assumed_role", _aws(who), _aws(acting), ("aws", "aws"), entry)
        self._tokens.hold(acting, self.now, lambda: self.session(who, role, name, **given))
        return acting

    def steal(self, fetch: Callable[[], AwsCaller], home: AwsCaller | None = None) -> AwsCaller:
        """The actor with a session that ``fetch`` gets at home; ``home`` is the first, if there is one already."""
        mine = home or fetch()
        away = AwsCaller(mine.identity, mine.account, self.exits[0], self.agent)
        self._tokens.hold(away, self.now, lambda: self.steal(fetch))
        return away

    def by_saml(self, person: Employee, role: Role, ip: str) -> AwsCaller:
        """A person's sign-in to the AWS application in Entra, and the session it opens."""
        sign_in = self.g.directory.user(self.wait(3, 20), person, "aws", ip, location=chains.location(person.place), asn=chains.network(ip))
        who = chains.saml(self.g, self.wait(1, 4), person, role, ip, self.rng.choice((self.agent, self.browser)))
        self.link("saml", f"email:{person.upn}", _aws(who), ("azure", "aws"), sign_in, self.g.trail.entries[-1])
        self._tokens.hold(who, self.now, lambda: self.by_saml(person, role, ip))
        return who

    def by_web_identity(self, role: Role, issuer: str, audience: str, subject: str, session: str, ip: str, parent: str, cloud: str) -> AwsCaller:
        """A workload's way into AWS by OIDC; ``parent`` is who holds the token, in which cloud."""
        self.wait(2, 15)
        who = chains.web_identity(self.g, self.now, role, issuer, audience, subject, session, ip, self.agent, region=self.company.regions[0])
        self.link("oidc", parent, _aws(who), (cloud, "aws"), self.g.trail.entries[-1])
        self._tokens.hold(who, self.now, lambda: self.by_web_identity(role, issuer, audience, subject, session, ip, parent, cloud))
        return who

    def by_exchange(self, external: str, pool: str, subject: str, ip: str, parent: str, cloud: str) -> GcpCaller:
        """A workload's way into GCP by token exchange."""
        who = chains.exchange(self.g, self.wait(2, 15), external, pool, subject, ip, self.gcp_agent)
        self.link("token_exchange", parent, f"gcp.principal:{who.federated}", (cloud, "gcp"), self.g.gcp.entries[-1])
        self._tokens.hold(who, self.now, lambda: self.by_exchange(external, pool, subject, ip, parent, cloud))
        return who

    def impersonated(self, who: GcpCaller, account: ServiceAccount, **given: Any) -> GcpCaller:
        """A service account acted as by token."""
        self.wait(2, 15)
        who = self._tokens.fresh(who, lambda: self.now)
        acting = chains.impersonate(self.g, self.now, who, account, **given)
        parent = f"gcp.account:{who.email}" if who.email else f"gcp.principal:{who.federated}"
        self.link("impersonation", parent, f"gcp.account:{account.email}", ("gcp", "gcp"), self.g.gcp.entries[-1])
        self._tokens.hold(acting, self.now, lambda: self.impersonated(who, account, **given))
        return acting

    def in_azure(self, who: ServicePrincipal, ip: str) -> AzureCaller:
        """A service principal's sign-in by its secret, from where the actor is."""
        place = self.rng.randrange(len(lexicon.PLACES))
        caller = chains.azure_principal(self.g, self.wait(3, 20), who, ip, place=place)
        self.is_also(who.name, f"entra.object:{who.oid}", f"entra.app:{who.app_id}")
        self._tokens.hold(caller, self.now, lambda: self.in_azure(who, ip))
        return caller

    def as_person(self, person: Employee, app: str, ip: str, role: str, **sign_in: Any) -> AzureCaller:
        """A person's sign-in to Azure, as `chains.azure_user` has it."""
        caller = chains.azure_user(self.g, self.wait(5, 60), person, app, ip, role, **sign_in)
        self.link("user_token", f"email:{person.upn}", f"entra.token:{caller.sign_in}", ("azure", "azure"), self.g.directory.entries[-1])
        self._tokens.hold(caller, self.now, lambda: self.as_person(person, app, ip, role, **sign_in))
        return caller

    def as_identity(self, identity: ManagedIdentity, ip: str, federated: str) -> AzureCaller:
        """A managed identity entered from outside by a federated credential."""
        caller = chains.azure_identity(self.g, self.wait(5, 60), identity, ip=ip, federated=federated)
        self._tokens.hold(caller, self.now, lambda: self.as_identity(identity, ip, federated))
        return caller


def _aws(who: AwsCaller) -> str:
    """The entity text of a caller: its session where it is one, else its key, else its name."""
    identity = who.identity
    if identity["type"] == "AssumedRole":
        return f"aws.session:{identity['principalId']}"
    if "accessKeyId" in identity:
        return f"aws.key:{identity['accessKeyId']}"
    return f"aws.service:{identity['invokedBy']}"
