"""What crosswind says about itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.config import Config, SinkConfig, SourceConfig
from engine.documents.ecs import to_ecs
from engine.documents.native import to_native
from engine.documents.ocsf import to_ocsf
from engine.documents.output import csv_row
from engine.model import Alert, State
from engine.pipeline.watch.self_check import SelfCheck
from engine.schedule.attempts import DONE
from engine.schedule.checks import RULES, Facts, Trouble, changes, subject_of, troubles, usual_gap
from engine.schedule.clock import ClockWatch, Jump
from engine.store import state as states
from engine.store.alert_rows import AlertQuery
from engine.store.records import Depth, Run
from engine.store.tables import meta
from tests.alert_samples import NOON, alert
from tests.schedules import job
from tests.states import KINDS, commit, later, new_place

HOUR = timedelta(hours=1)


def facts(**known: Any) -> Facts:
    return Facts(**{"created": NOON - timedelta(days=40), "host": "here", **known})


def named(found: list[Trouble]) -> list[tuple[str, str]]:
    return [(each.check, each.subject) for each in found]


def every(minutes: int, times: int) -> list[datetime]:
    return [NOON + timedelta(minutes=minutes * number) for number in range(times)]


@pytest.mark.parametrize(
    ("arrivals", "silent_after"),
    [
        (every(5, 10), timedelta(minutes=5 + 15)),
        ([*every(5, 10), NOON + timedelta(minutes=45 + 600)], timedelta(minutes=600 + 15)),  # a night belongs to what is usual
        (every(5, 3), timedelta(days=1, minutes=15)),  # too few to know
    ],
)
def test_a_source_is_silent_beyond_its_usual_gap_and_its_lateness(arrivals: list[datetime], silent_after: timedelta) -> None:
    known = facts(lateness={"trail": timedelta(minutes=15)}, arrivals={"trail": arrivals})
    assert troubles(known, arrivals[-1] + silent_after) == []
    (found,) = troubles(known, arrivals[-1] + silent_after + timedelta(seconds=1))
    assert (found.check, found.subject, found.since) == ("silent-source", "trail", arrivals[-1])


def test_a_source_that_never_brought_anything_is_silent_after_a_day() -> None:
    known = facts(created=NOON, lateness={"trail": timedelta(0)})
    assert troubles(known, NOON + timedelta(hours=24)) == []
    (found,) = troubles(known, NOON + timedelta(hours=25))
    assert "nothing since" in found.reason


def test_the_usual_gap_is_the_longest() -> None:
    assert usual_gap([NOON, later(1), later(10), later(11)]) == timedelta(minutes=9)


def run(number: int, **outcomes: str) -> Run:
    rules = [{"uid": uid, "title": uid.upper(), "outcome": outcome, "reason": "no memory"} for uid, outcome in outcomes.items()]
    return Run(number, number, later(number), later(number), "done", {"rules": rules}, ())


def test_a_rule_that_fails_is_named_since_it_began_to() -> None:
    batches = [run(4, a="failed", b="ran"), run(3, a="failed", b="failed"), run(2, a="ran"), run(1, a="failed")]
    (found,) = troubles(facts(batches=batches), later(5))
    assert (found.check, found.subject, found.since, found.reason) == ("failing-rule", "a", later(3), "Rule A fails: no memory.")
    assert troubles(facts(batches=[run(5, a="cannot_fire"), *batches]), later(5)) == []


@pytest.mark.parametrize(
    ("waiting", "age", "wrong"), [(1, HOUR, False), (1, HOUR * 1.1, True), (1_000, HOUR / 2, False), (1_001, HOUR / 2, True), (0, None, False)]
)
def test_an_outbox_that_is_old_or_long(waiting: int, age: timedelta | None, wrong: bool) -> None:
    depth = Depth("siem", waiting, None if age is None else NOON - age, 0, 0)
    assert named(troubles(facts(depths=[depth]), NOON)) == ([("outbox", "siem")] if wrong else [])


def test_a_clock_that_jumped_is_told_for_an_hour() -> None:
    known = facts(jump=Jump(NOON, timedelta(minutes=-30)))
    (found,) = troubles(known, NOON)
    assert found.reason == "The clock of here went 30 min back."
    assert troubles(known, NOON + HOUR) == []


def test_a_run_that_is_still_to_come_tells_of_a_wrong_clock() -> None:
    assert named(troubles(facts(last_run=later(10)), NOON)) == [("clock", "here")]
    assert troubles(facts(last_run=later(1)), NOON) == []


def trouble(check: str = "outbox", subject: str = "siem", since: datetime = NOON) -> Trouble:
    return Trouble(check, subject, since, "It is so.")


def raised(*found: Trouble) -> list[Alert]:
    return changes(list(found), [], NOON)[0]


def test_trouble_that_lasts_stays_one_alert_and_is_retracted_when_it_is_over() -> None:
    (first,) = raised(trouble())
    assert changes([trouble(since=later(9))], [first], later(10)) == ([], [])
    assert len(changes([trouble(), trouble(subject="copy")], [first], NOON)[0]) == 1
    new, (end,) = changes([], [first], NOON)
    assert (new, end.uid, end.state, end.by) == ([], first.uid, State.RETRACTED, ())
    assert "takes alerts again" in end.reason


def test_another_machines_clock_is_not_judged_from_here_before_its_hour_is_over() -> None:
    (first,) = raised(trouble("clock", "there"))
    assert changes([], [first], later(59)) == ([], [])
    assert len(changes([], [first], later(60))[1]) == 1


def test_the_same_trouble_is_the_same_alert_wherever_it_is_found() -> None:
    assert raised(trouble()) == raised(trouble())
    assert len({each.uid for each in raised(trouble(), trouble(subject="copy"), trouble(since=later(1)), trouble("clock"))}) == 4


@pytest.mark.parametrize("check", sorted(RULES))
def test_every_sink_can_tell_of_it(check: str) -> None:
    (found,) = raised(trouble(check))
    assert subject_of(found) == "siem"
    assert to_ecs(found)["rule"]["uuid"] == f"crosswind.self-check.{check}"
    assert to_ocsf(found)["finding_info"]["title"] == RULES[check][0]
    assert to_native(found)["reason"] == "It is so."
    assert csv_row(found)["rule_title"] == RULES[check][0]


def test_the_clock_is_watched_by_a_steady_one() -> None:
    wall, ticks = [NOON], [100.0]
    watch = ClockWatch(lambda: wall[0], lambda: ticks[0])
    wall[0], ticks[0] = later(10), 700.0
    assert watch.look() is None
    wall[0], ticks[0] = later(130), 705.0
    jump = watch.look()
    assert jump is not None
    assert jump.by == timedelta(hours=2, seconds=-5)
    wall[0] = later(60)
    back = watch.look()
    assert back is not None
    assert back.by == timedelta(minutes=-70)
    assert watch.last == back
    assert watch.look() is None


@pytest.fixture(params=KINDS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[states.State]:
    with states.State.open(new_place(request.param, tmp_path)) as opened:
        with opened.database.write() as connection:
            connection.execute(meta.update().where(meta.c.key == "created").values(value=NOON.isoformat()))
        yield opened


class Check:
    """The job `check` over one state, at a time of one's choice."""

    def __init__(self, state: states.State, folder: Path, sources: tuple[str, ...] = ("trail",)) -> None:
        self.now = NOON
        self.file = folder / "alerts.ndjson"
        sink = SinkConfig("copy", "file", {"path": self.file, "max_bytes": 1 << 20, "keep": 1, "format": "ndjson"})
        named = tuple(SourceConfig(name, (str(folder),), lateness=timedelta(minutes=10)) for name in sources)
        self.state = state
        self.config = Config(None, folder / "lake", "unused", named, sinks=(sink,))
        self.watch = ClockWatch(lambda: self.now, lambda: (self.now - NOON).total_seconds())
        self.work = SelfCheck(self.config, state, self.watch, lambda: self.now)

    def at(self, now: datetime) -> dict[str, tuple[str, str, int]]:
        """Alerts of the check by subject, after a check at ``now``: check, state, revision."""
        self.now = now
        attempt = self.work(job(), lambda: None)
        assert (attempt.outcome, attempt.errors) == (DONE, ())
        found = [stored for stored in self.state.alerts() if stored.alert.rule.uid.startswith("crosswind.self-check.")]
        return {subject_of(each.alert): (each.alert.rule.uid.rpartition(".")[2], each.alert.state.value, each.revision) for each in found}


def test_an_alert_is_raised_delivered_and_retracted(state: states.State, tmp_path: Path) -> None:
    check = Check(state, tmp_path)
    assert check.at(NOON) == {}
    assert check.at(NOON + timedelta(days=2)) == {"trail": ("silent-source", "live", 1)}  # no batch was ever done
    assert check.at(NOON + timedelta(days=2, hours=1)) == {"trail": ("silent-source", "live", 1)}
    assert state.depths() == []
    assert check.file.read_text().count("fell silent") == 1
    from tests.states import plan

    state.write_plan(plan_at(plan(1), NOON + timedelta(days=2, hours=2)))
    assert check.at(NOON + timedelta(days=2, hours=3)) == {"trail": ("silent-source", "retracted", 2)}
    assert "brings something new again" in check.file.read_text().splitlines()[-1]
    (stored,) = state.alerts(AlertQuery(states=(State.RETRACTED,)))
    assert stored.why is not None
    assert stored.why.startswith("over: ")


def plan_at(planned: Any, created: datetime) -> Any:
    from dataclasses import replace

    return replace(planned, created=created)


def test_a_sink_that_does_not_take_alerts_is_told_of(state: states.State, tmp_path: Path) -> None:
    check = Check(state, tmp_path, sources=())
    commit(state, 1, alerts=[alert()], sinks=("copy", "gone"))
    check.file.mkdir()  # nothing can be written there
    check.now = later(70)
    attempt = check.work(job(), lambda: None)
    assert attempt.outcome == DONE
    assert attempt.errors != ()
    assert {subject_of(each.alert) for each in state.alerts(AlertQuery(rules=["crosswind.self-check.outbox"]))} == {"copy"}
    check.file.rmdir()
    state.delivered("copy", [row.id for row in state.outbox("copy", 10)], later(80))
    assert check.at(later(90)) == {"copy": ("outbox", "retracted", 2)}


def test_a_source_that_is_configured_no_more_is_told_of_no_more(state: states.State, tmp_path: Path) -> None:
    assert Check(state, tmp_path).at(NOON + timedelta(days=2)) == {"trail": ("silent-source", "live", 1)}
    assert Check(state, tmp_path, sources=()).at(NOON + timedelta(days=2)) == {"trail": ("silent-source", "retracted", 2)}
