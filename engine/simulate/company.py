"""The company of one seed: its people, accounts, workloads and networks. Every address is from a documentation range, every id is invented."""

from __future__ import annotations

import random
from dataclasses import dataclass

from engine.simulate import lexicon
from engine.simulate.native import ids
from engine.simulate.native.actors import Person, Role, ServicePrincipal

BUCKETS = ("training", "models", "backups", "state", "reports", "logs")
LEAST = 36
"""So many people and workloads of each kind there are at any scale, so that every campaign finds victims of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Employee(Person):
    """A person with a mail domain, a place (index in `lexicon.PLACES`) and the AWS account most of the work is in."""

    domain: str
    place: int
    account: str

    @property
    def upn(self) -> str:
        return f"{self.name}@{self.domain}"

    @property
    def zone(self) -> int:
        """Hours from UTC."""
        return lexicon.PLACES[self.place][5]

    @property
    def arn(self) -> str:
        """The IAM user of that name."""
        return f"arn:aws:iam::{self.account}:user/{self.name}"


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """An IAM user that a program uses by a long-lived key."""

    account: str
    name: str
    uid: str
    key: str


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A GCP service account; ``uid`` is its number, ``key`` the id of its key."""

    email: str
    uid: str
    key: str


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """An Azure managed identity and the resource it belongs to."""

    name: str
    oid: str
    app_id: str
    resource: str


@dataclass(frozen=True, slots=True)
class Company:
    """Everything that exists before the first log line. Lists of workloads come in a random order of the seed, at least `LEAST` long."""

    domain: str
    org: str
    tenant: str
    subscription: str
    project: str
    project_number: str
    accounts: tuple[str, ...]
    foreign_accounts: tuple[str, ...]
    regions: tuple[str, ...]
    people: tuple[Employee, ...]
    tasks: tuple[Role, ...]
    users: tuple[ServiceUser, ...]
    principals: tuple[ServicePrincipal, ...]
    identities: tuple[ManagedIdentity, ...]
    service_accounts: tuple[ServiceAccount, ...]
    repositories: tuple[str, ...]
    staff_roles: dict[tuple[str, str], Role]
    offices: tuple[str, ...]
    vpn: str
    egress: dict[str, str]
    runners: tuple[str, ...]
    addresses: tuple[str, ...]
    models: tuple[str, ...]
    ai_accounts: tuple[str, ...]
    buckets: dict[str, str]

    def role(self, account: str, name: str) -> Role:
        """A role every account has: ``engineer``, ``admin``, ``deploy``, ``readonly``, ``agent`` or ``scanner``."""
        return self.staff_roles[account, name]

    def jobs(self, *jobs: str) -> list[Employee]:
        return [person for person in self.people if person.job in jobs]

    @property
    def idp(self) -> str:
        """The issuer of Entra's tokens and assertions."""
        return f"https://sts.windows.net/{self.tenant}/"

    def arm(self, group: str, provider: str, name: str) -> str:
        """An Azure resource id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/{provider}/{name}"

    @property
    def openai(self) -> tuple[str, ...]:
        """Azure OpenAI accounts."""
        return tuple(self.arm("rg-ai", "Microsoft.CognitiveServices/accounts", name) for name in self.ai_accounts)

    @property
    def apim(self) -> str:
        return self.arm("rg-ai", "Microsoft.ApiManagement/service", f"{self.org.split('-')[0]}-apim")


def _addresses(rng: random.Random) -> list[str]:
    """All IPv4 addresses for documentation, mixed: nobody can tell friend from foe by the range."""
    found = [f"{net}.{host}" for net in ("192.0.2", "198.51.100", "203.0.113") for host in range(2, 254)]
    rng.shuffle(found)
    return found


def browser(rng: random.Random, number: int) -> str:
    return lexicon.BROWSERS[number % len(lexicon.BROWSERS)].format(v=rng.randrange(128, 140), m=rng.randrange(1, 6))


def tool(rng: random.Random) -> str:
    """The user agent of somebody's program."""
    return rng.choice(lexicon.TOOLS).format(v=rng.randrange(26, 40), m=rng.randrange(10, 34), p=rng.randrange(1, 20))


def gcp_tool(rng: random.Random) -> str:
    """The user agent of somebody's program in GCP."""
    return rng.choice(lexicon.GCP_TOOLS).format(v=rng.randrange(26, 40), m=rng.randrange(10, 34), p=rng.randrange(1, 20))


def _people(rng: random.Random, count: int, domain: str, accounts: tuple[str, ...]) -> tuple[Employee, ...]:
    places = rng.sample(range(len(lexicon.PLACES)), 4)
    names = [f"{given}.{family}" for given in lexicon.GIVEN for family in lexicon.FAMILY]
    rng.shuffle(names)
    jobs = [job for job, weight in lexicon.JOBS for _ in range(weight)]
    found = []
    for index in range(count):
        name = names[index % len(names)] + (str(index // len(names)) if index >= len(names) else "")
        account = rng.choice(accounts)
        home = f"2001:db8:{rng.randrange(1, 65536):x}:{index:x}::{rng.randrange(2, 4096):x}"
        job = rng.choice(jobs)
        display = " ".join(part.title() for part in name.split("."))
        key = ids.plain_key(rng, account, kind="AKIA")
        who = (name, display, job, ids.guid(rng), home, browser(rng, index), ids.principal_id(rng, "AIDA"), key, ids.hexes(rng, 64))
        place = places[0] if rng.random() < 0.6 else rng.choice(places)
        found.append(Employee(*who, domain=domain, place=place, account=account))
    return tuple(found)


def _names(rng: random.Random, count: int) -> list[str]:
    found = [f"{area}-{part}" for area in lexicon.AREAS for part in lexicon.PARTS]
    rng.shuffle(found)
    return [found[i % len(found)] + (f"-{i // len(found)}" if i >= len(found) else "") for i in range(count)]


def build(seed: int, scale: float) -> Company:
    """The company of a seed. ``scale`` above 1 makes it bigger, below 1 only quieter."""
    rng = ids.generator(seed, "company")
    many = max(1.0, scale)
    domain, org = rng.choice(lexicon.DOMAINS), rng.choice(lexicon.ORGS)
    numbers = rng.sample(lexicon.ACCOUNTS, len(lexicon.ACCOUNTS))
    accounts, foreign = tuple(numbers[:4]), tuple(numbers[4:])
    addresses = _addresses(rng)
    free = iter(addresses)
    project = f"{org.split('-')[0]}-{rng.choice(('ml', 'data', 'prod'))}-{rng.randrange(100, 999)}"
    workloads = max(LEAST, round(40 * many))
    names = _names(rng, 5 * workloads)
    subscription = ids.guid(rng)
    staff = ("engineer", "admin", "deploy", "readonly", "agent", "scanner")
    scope = f"/subscriptions/{subscription}/resourceGroups/rg-apps/providers/Microsoft.App/containerApps"
    offices = (next(free), next(free))
    vpn = next(free)
    egress = {place: next(free) for place in (*accounts, "azure", "gcp", "pods")}
    runners = tuple(next(free) for _ in range(6))
    keyed = [(rng.choice(accounts), name) for name in names[workloads : 2 * workloads]]
    return Company(
        domain=domain,
        org=org,
        tenant=ids.guid(rng),
        subscription=subscription,
        project=project,
        project_number=str(rng.randrange(10**11, 10**12)),
        accounts=accounts,
        foreign_accounts=foreign,
        regions=tuple(rng.sample(lexicon.REGIONS, 3)),
        people=_people(rng, max(LEAST + 4, round(60 * many)), domain, accounts),
        tasks=tuple(Role(rng.choice(accounts), name, ids.principal_id(rng, "AROA")) for name in names[:workloads]),
        users=tuple(ServiceUser(a, n, ids.principal_id(rng, "AIDA"), ids.plain_key(rng, a, kind="AKIA")) for a, n in keyed),
        principals=tuple(
            ServicePrincipal(f"sp-{name}", ids.guid(rng), ids.guid(rng), ids.guid(rng)) for name in names[2 * workloads : 3 * workloads]
        ),
        identities=tuple(
            ManagedIdentity(f"mi-{name}", ids.guid(rng), ids.guid(rng), f"{scope}/{name}") for name in names[3 * workloads : 4 * workloads]
        ),
        service_accounts=tuple(
            ServiceAccount(f"{name}@{project}.iam.gserviceaccount.com", str(rng.randrange(10**20, 10**21)), ids.hexes(rng, 40))
            for name in names[4 * workloads :]
        ),
        repositories=tuple(f"{org}/{area}" for area in rng.sample(lexicon.AREAS, len(lexicon.AREAS))),
        staff_roles={(account, name): Role(account, name, ids.principal_id(rng, "AROA")) for account in accounts for name in staff},
        offices=offices,
        vpn=vpn,
        egress=egress,
        runners=runners,
        addresses=tuple(free),
        models=tuple(rng.sample(lexicon.BEDROCK_MODELS, 4)),
        ai_accounts=tuple(f"{area}-openai" for area in rng.sample(lexicon.AREAS, 6)),
        buckets={use: f"{org.split('-')[0]}-{use}-{rng.randrange(1000, 9999)}" for use in BUCKETS},
    )
