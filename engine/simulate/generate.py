"""A company's weeks: benign life and campaigns, delivered as providers deliver, and the truth about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.errors import UsageError
from engine.simulate import company as companies
from engine.simulate import truth
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import CAMPAIGNS, REPORTS, campaign
from engine.simulate.company import Company
from engine.simulate.decoys import DECOYS, decoy
from engine.simulate.delivery import DARK, Delivery
from engine.simulate.ground import Ground
from engine.simulate.native import ids
from engine.simulate.native.entries import Entry
from engine.simulate.personas import everybody
from engine.simulate.personas.scene import Scene
from engine.simulate.stamp import Draw

START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""
LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make. ``campaigns``: names of `CAMPAIGNS` and `REPORTS`; ``scale`` 1 is a company of sixty, forty thousand events on a working day."""

    days: int = 7
    seed: int = 1
    scale: float = 1.0
    campaigns: tuple[str, ...] = CAMPAIGNS
    start: datetime = START


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: records delivered per source (second deliveries included), files, bytes, and the truth of every campaign and decoy."""

    records: dict[str, int]
    files: int
    bytes: int
    told: tuple[truth.Told, ...] = field(repr=False)
    dark: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is, in hours of simulated life."""

    objects: int
    objects_total: int
    records: int

    @property
    def bytes(self) -> int:
        return self.objects

    @property
    def bytes_total(self) -> int:
        return self.objects_total


def chosen(text: str) -> tuple[str, ...]:
    """Names from ``all`` (of the catalogue), ``reports``, ``none`` or a list such as ``d01,r05``. Raises `UsageError` for unknown ones."""
    sets = {"all": CAMPAIGNS, "reports": REPORTS, "none": ()}
    if text in sets:
        return sets[text]
    names = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    known = (*CAMPAIGNS, *REPORTS)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UsageError(f"no campaign {', '.join(unknown) or repr(text)}: choose all, reports, none or some of {','.join(known)}")
    return names


def generate(out: Path, plan: Plan, progress: Callable[[Progress], None] | None = None) -> Made:
    """Write the logs of ``plan`` below ``out/logs`` and `truth.NAME` beside them. Equal plans give equal bytes.

    Raises `UsageError` when ``out`` holds something, cannot be written to, or the plan makes no sense.
    """
    _check(out, plan)
    try:
        return _write(out, plan, progress)
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or out}: {error.strerror or error}; free some space or name another directory") from error


def _write(out: Path, plan: Plan, progress: Callable[[Progress], None] | None) -> Made:
    company = companies.build(plan.seed, plan.scale)
    rng = ids.generator(plan.seed, "life")
    ground = Ground.build(plan.seed, "life", company)
    off = dark(plan.seed)
    delivery = Delivery(out / LOGS, ids.generator(plan.seed, "delivery"), frozenset(off), company.tenant, ground.otel.resource)
    told, entries = play(plan, company)
    for entry in sorted(entries, key=lambda one: (one.published, one.uid)):
        delivery.entry(entry)
    scene = Scene(company, ground, delivery, rng, Draw(ids.generator(plan.seed, "bulk")), min(1.0, plan.scale), plan.start, plan.start)
    personas = everybody(scene)
    hours = 24 * plan.days
    for number in range(hours):
        scene.hour = plan.start + timedelta(hours=number)
        for persona in personas:
            persona.live(scene)
        for entry in ground.drain():
            delivery.entry(entry)
        delivery.flush(scene.hour + timedelta(hours=1))
        if progress is not None:
            progress(Progress(number + 1, hours, delivery.records.total()))
    delivery.flush()
    about = {"version": 1, "seed": plan.seed, "start": f"{plan.start:%Y-%m-%dT%H:%M:%SZ}", "days": plan.days, "scale": plan.scale}
    document = truth.document(about, told, company, delivery.records, {name: DARK[name] for name in off}, delivery.missing)
    truth.save(document, out / truth.NAME)
    return Made(dict(sorted(delivery.records.items())), delivery.files, delivery.written, told, off)


def _check(out: Path, plan: Plan) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not an empty directory: name a new one, or empty it")
    if not 1 <= plan.days <= 366:
        raise UsageError(f"--days must be from 1 to 366, not {plan.days}")
    if not 0 < plan.scale <= 1000:
        raise UsageError(f"--scale must be above 0 and at most 1000, not {plan.scale}")
    if not 0 <= plan.seed < 2**63:
        raise UsageError(f"--seed must be from 0 to 9223372036854775807, not {plan.seed}")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {out}: {error.strerror}; name another directory") from error


def dark(seed: int) -> tuple[str, ...]:
    """The logs a company lacks, keys of `DARK`: four companies of ten have all, the others miss one."""
    rng = ids.generator(seed, "dark")
    return (rng.choice(sorted(DARK)),) if rng.random() < 0.6 else ()


def play(plan: Plan, company: Company) -> tuple[tuple[truth.Told, ...], list[Entry]]:
    """Every campaign on a ground of its own, so that one does not depend on which others are played; the decoys likewise."""
    shared = [*ids.generator(plan.seed, "one nat").sample(CAMPAIGNS, 2), *ids.generator(plan.seed, "one nat of reports").sample(REPORTS, 2)]
    told: list[truth.Told] = []
    entries: list[Entry] = []
    cast: list[tuple[str, int, Campaign]] = [(name, int(name[1:]) + (50 if name in REPORTS else 0), campaign(name)) for name in plan.campaigns]
    cast += [(name, 40 + number, decoy(name)) for number, name in enumerate(DECOYS)]
    for uid, number, scenario in cast:
        ground = Ground.build(plan.seed, uid, company)
        act = _act(plan, uid, number, scenario, ground, shared)
        scenario.play(act)
        told.append(act.told)
        entries += ground.drain()
    return tuple(told), entries


def _act(plan: Plan, uid: str, number: int, scenario: Campaign, ground: Ground, shared: Sequence[str]) -> Act:
    rng = ids.generator(plan.seed, f"campaign {uid}")
    company = ground.company
    length = timedelta(days=plan.days)
    act = Act(uid, number, scenario, ground, rng, plan.start, plan.start + length - timedelta(minutes=30))
    late = 0.1 if act.told.pace == "slow" else 0.45
    act.now += length * rng.uniform(0.02, late)
    first = 12 + number * 8
    act.exits = [company.addresses[(first + i) % (len(company.addresses) - 210)] for i in range(rng.randrange(1, 5))]
    if uid in shared:
        act.told.variations.append("one NAT with another campaign")
        together = ids.generator(plan.seed, "one nat time")
        act.exits = [together.choice((company.addresses[5], company.vpn))]
        act.now = plan.start + length * together.uniform(0.1, 0.4)
    elif not scenario.attack or rng.random() < 0.2:
        act.told.variations.append("from the company's own network")
        act.exits = [rng.choice((*company.offices, company.vpn))]
    return act
