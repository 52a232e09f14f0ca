"""What is wrong with crosswind itself, as alerts in its own stream: raised while it lasts, retracted when it is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise

from engine.model import Alert, AlertKind, Level, RuleRef, State
from engine.schedule.clock import LEAST, Jump
from engine.store.records import Depth, Ended, Run

PREFIX = "crosswind.self-check."
LONG = timedelta(hours=1)
"""An outbox that is older than this, and a jump of the clock that is younger."""
MANY = 1_000
"""An outbox with more alerts than this grows faster than it is delivered."""
HISTORY = timedelta(days=30)
_ENOUGH = 4
_UNKNOWN_GAP = timedelta(days=1)
"""The gap of a source that brought something fewer than `_ENOUGH` times."""
_LEAST_LATENESS = timedelta(minutes=5)
_AHEAD = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a check looks at. ``arrivals``: when each configured source had something new; ``batches``: the last ones, newest first."""

    created: datetime
    lateness: Mapping[str, timedelta] = field(default_factory=dict)
    arrivals: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    batches: Sequence[Run] = ()
    depths: Sequence[Depth] = ()
    last_run: datetime | None = None
    jump: Jump | None = None
    host: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong with ``subject`` (a source, a rule, a sink, a machine) since some time."""

    check: str
    subject: str
    since: datetime
    reason: str


RULES = {
    "silent-source": (
        "Log source fell silent",
        Level.HIGH,
        "A configured source brought nothing new for longer than its usual gap and its lateness. What happens there is not seen meanwhile.",
        ("Is the export still on?", "Do new objects arrive at the configured path?", "`crosswind status` shows when it was last looked through"),
    ),
    "failing-rule": (
        "Detection rule fails",
        Level.MEDIUM,
        "A rule failed in the last batch. What it is there to find is not found meanwhile.",
        ("`crosswind rules check` names the fault", "Mend the rule; the next run looks again at the revision horizon"),
    ),
    "outbox": (
        "Alerts are not delivered",
        Level.HIGH,
        "Alerts wait for a sink for more than an hour, or more than 1,000 of them do.",
        ("`crosswind sinks test` says what keeps the sink from taking them", "They stay in the outbox until it does; none is lost"),
    ),
    "clock": (
        "Clock jumped",
        Level.MEDIUM,
        "The clock of a machine that runs crosswind was set. Watermarks, schedules and times of delivery depend on it.",
        ("Is the time right now, and is time synchronisation on?",),
    ),
}
"""Title, level, meaning and what to do of each check."""
_OVER = {
    "silent-source": "the source brings something new again, or is configured no more",
    "failing-rule": "the rule did not fail in the last batch",
    "outbox": "the sink takes alerts again, or is configured no more",
    "clock": "the clock has not jumped for an hour",
}


def troubles(facts: Facts, now: datetime) -> list[Trouble]:
    """Everything that is wrong now."""
    return [*_silent(facts, now), *_failing(facts.batches), *_outbox(facts, now), *_clock(facts, now)]


def changes(found: Sequence[Trouble], standing: Sequence[Alert], now: datetime) -> tuple[list[Alert], list[Ended]]:
    """The alerts to raise, and those of the live ones (``standing``) that are over. One that lasts stays as it is."""
    told = {(alert.rule.uid, subject_of(alert)) for alert in standing}
    raised = [_alert(trouble) for trouble in found if (PREFIX + trouble.check, trouble.subject) not in told]
    wrong = {(PREFIX + trouble.check, trouble.subject) for trouble in found}
    ended = []
    for alert in standing:
        check = alert.rule.uid.removeprefix(PREFIX)
        lasts = check == "clock" and timedelta() <= now - alert.first_time < LONG  # another machine's is not seen from here
        if (alert.rule.uid, subject_of(alert)) not in wrong and not lasts:
            ended.append(Ended(alert.uid, State.RETRACTED, f"over: {_OVER.get(check, 'this is checked no more')}"))
    return raised, ended


def subject_of(alert: Alert) -> str:
    """What an alert of ours is about."""
    return dict(alert.group)["subject"]


def _silent(facts: Facts, now: datetime) -> Iterator[Trouble]:
    for source, lateness in sorted(facts.lateness.items()):
        times = facts.arrivals.get(source, ())
        last = times[-1] if times else facts.created
        gap = usual_gap(times)
        if now - last > gap + max(lateness, _LEAST_LATENESS):
            said = f"brought nothing new since {_shown(last)}" if times else f"has brought nothing since {_shown(last)}, when this state was made"
            usual = f"; its longest pause before was {_length(gap)}" if len(times) >= _ENOUGH else ""
            yield Trouble("silent-source", source, last, f"Source {source} {said}{usual}.")


def usual_gap(times: Sequence[datetime]) -> timedelta:
    """The longest pause between arrivals, which nights and weekends are part of; a day where too few are known."""
    if len(times) < _ENOUGH:
        return _UNKNOWN_GAP
    return max(later - earlier for earlier, later in pairwise(times))


def _failing(batches: Sequence[Run]) -> Iterator[Trouble]:
    failed = [{rule["uid"]: rule for rule in run.counts.get("rules", ()) if rule["outcome"] == "failed"} for run in batches]
    for uid, rule in sorted(failed[0].items()) if failed else ():
        streak = next((number for number, each in enumerate(failed) if uid not in each), len(failed))
        yield Trouble("failing-rule", uid, batches[streak - 1].started, f"Rule {rule['title']} fails: {rule['reason'] or 'no reason was recorded'}.")


def _outbox(facts: Facts, now: datetime) -> Iterator[Trouble]:
    for depth in facts.depths:
        if depth.oldest is None:
            continue
        if now - depth.oldest > LONG:
            yield Trouble("outbox", depth.sink, depth.oldest, f"Alerts wait for sink {depth.sink} since {_shown(depth.oldest)}.")
        elif depth.waiting > MANY:
            yield Trouble("outbox", depth.sink, depth.oldest, f"More than {MANY:,} alerts wait for sink {depth.sink}.")


def _clock(facts: Facts, now: datetime) -> Iterator[Trouble]:
    if facts.jump is not None and timedelta() <= now - facts.jump.at < LONG:
        way = "forward" if facts.jump.by > timedelta() else "back"
        yield Trouble("clock", facts.host, facts.jump.at, f"The clock of {facts.host} went {_length(abs(facts.jump.by))} {way}.")
    elif facts.last_run is not None and facts.last_run - now > max(_AHEAD, LEAST):
        said = f"The last run ended at {_shown(facts.last_run)}, which is still to come: the clock of {facts.host} or of another scheduler is wrong."
        yield Trouble("clock", facts.host, now, said)


def _alert(trouble: Trouble) -> Alert:
    title, level, meaning, response = RULES[trouble.check]
    rule = RuleRef(PREFIX + trouble.check, title, level.word, description=meaning, author="crosswind", response=response)
    group = (("check", trouble.check), ("subject", trouble.subject))
    digest = sha256("\0".join((rule.uid, trouble.subject, trouble.since.isoformat())).encode("utf-8", "surrogatepass"))
    return Alert(
        uid=digest.hexdigest()[:32],
        state=State.LIVE,
        kind=AlertKind.RULE,
        rule=rule,
        level=level,
        first_time=trouble.since,
        last_time=trouble.since,
        count=0,
        sources=(),
        cloud=(),
        entities=(),
        events=(),
        event_uids=(),
        reason=trouble.reason,
        group=group,
    )


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _length(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds} s"
