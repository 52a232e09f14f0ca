"""One run of a job: claimed, tried again, stopped, recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import LeaseError, StateError
from engine.schedule.attempts import DONE, FAILED, STOPPED, Attempt
from engine.schedule.jobs import LOST, STOPPING, TTL
from engine.schedule.stopping import Stop
from engine.store.jobs import abandoned, claim, finish, job_records, lease_name, take_over
from engine.store.leases import this_process
from engine.store.state import State
from tests.alert_samples import NOON
from tests.schedules import Bench, Told, job
from tests.states import KINDS, later, new_place

BUSY = Attempt(FAILED, ("busy",), transient=True)
BROKEN = Attempt(FAILED, ("broken",))


@pytest.fixture(params=KINDS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    with State.open(new_place(request.param, tmp_path)) as opened:
        yield opened


def waits(reason: Callable[[], str | None]) -> Attempt:
    """Work that goes on until it is told to end."""
    end = time.monotonic() + 30
    while (why := reason()) is None:
        assert time.monotonic() < end
        time.sleep(0.001)
    return Attempt(STOPPED, (why,))


def test_a_run_is_begun_once(state: State) -> None:
    assert claim(state, "a", NOON, NOON)
    assert not claim(state, "a", NOON, later(1))
    assert not claim(state, "a", later(-5), later(1))
    assert claim(state, "a", later(5), later(5))
    assert claim(state, "b", NOON, NOON)


def test_a_time_due_that_a_wrong_clock_wrote_keeps_nothing_from_running(state: State) -> None:
    assert claim(state, "a", later(10_000), later(10_000))
    assert claim(state, "a", NOON, NOON)


def test_what_nobody_is_at_any_more_is_abandoned(state: State) -> None:
    claim(state, "a", NOON, NOON)
    with state.lease(lease_name("a"), this_process(), TTL, NOON):
        assert abandoned(state, later(1)) == []
        assert [record.name for record in abandoned(state, later(3))] == ["a"]  # the lease ran out
    assert [record.name for record in abandoned(state, later(1))] == ["a"]
    assert take_over(state, "a", NOON, later(1))
    assert job_records(state)["a"].attempts == 2
    finish(state, "a", NOON, DONE, later(2))
    assert not take_over(state, "a", NOON, later(3))
    assert abandoned(state, later(3)) == []


def test_a_lease_of_a_process_that_is_gone_holds_nothing(state: State) -> None:
    claim(state, "a", NOON, NOON)
    dead = this_process().replace(this_process().split()[1], "4194305", 1)
    with state.lease(lease_name("a"), dead, TTL, NOON):
        assert [record.name for record in abandoned(state, later(1))] == ["a"]


def test_a_run_is_recorded_and_not_repeated(state: State) -> None:
    report = {"records": 10, "events": 9, "rejected": 1, "hits": 3, "alerts_by_level": [("high", 2)]}
    batch = {"batch": 7, "source": "trail", "alerts": {"new": 2, "changed": 0, "ended": 0}, "report": report}
    bench = Bench(state, Told(Attempt(DONE, ("one object failed",), code=3, batches=(batch,))))
    ran = bench.runner.fire(job(), NOON)
    assert ran is not None
    (run,) = state.runs()
    assert (run.outcome, run.errors, run.batch) == (DONE, ("one object failed",), None)
    told = {"job": "detect", "run": ran.run, "batches": [7], "records": 10, "events": 9, "alerts": 2, "tries": 1, "exit_code": 3}
    assert told.items() <= run.counts.items()
    assert bench.runner.fire(job(), NOON) is None
    assert bench.work.asked == 1
    begun, done, ended = bench.log
    assert (begun["event"], begun["run"], begun["job"]) == ("job begins", ran.run, "detect")
    assert (done["batch"], done["source"], done["events"], done["run"]) == (7, "trail", 9, ran.run)
    assert (ended["outcome"], ended["errors"]) == (DONE, ["one object failed"])
    text = bench.metrics.text(state, NOON)
    assert 'crosswind_job_runs_total{job="detect",outcome="done"} 1' in text
    assert 'crosswind_records_total{kind="events"} 9' in text
    assert 'crosswind_alerts_total{level="high"} 2' in text


@pytest.mark.parametrize(("answers", "tries", "outcome"), [((BUSY, BUSY, Attempt(DONE)), 3, DONE), ((BUSY,), 4, FAILED), ((BROKEN,), 1, FAILED)])
def test_only_what_may_pass_is_tried_again(state: State, answers: tuple[Attempt, ...], tries: int, outcome: str) -> None:
    bench = Bench(state, Told(*answers))
    ran = bench.runner.fire(job(), NOON)
    assert ran is not None
    assert (ran.tries, ran.attempt.outcome) == (tries, outcome)
    assert job_records(state)["detect"].outcome == outcome
    assert f'crosswind_job_retries_total{{job="detect"}} {tries - 1}' in bench.metrics.text(state, NOON)


@pytest.mark.parametrize(("error", "tries"), [(LeaseError("busy"), 4), (StateError("corrupt"), 1), (ValueError("oh"), 1)])
def test_errors_of_work_are_outcomes(state: State, error: Exception, tries: int) -> None:
    ran = Bench(state, Told(error)).runner.fire(job(), NOON)
    assert ran is not None
    assert (ran.tries, ran.attempt.outcome) == (tries, FAILED)
    assert str(error) in ran.attempt.errors[0]


def test_a_job_that_another_scheduler_has_is_left_alone(state: State) -> None:
    bench = Bench(state, Told())
    claim(state, "detect", NOON, NOON)
    with state.lease(lease_name("detect"), this_process(), TTL, NOON):
        assert bench.runner.fire(job(), NOON) is None
        assert bench.runner.fire(job(), NOON, again=True) is None
    assert bench.work.asked == 0
    assert [each["level"] for each in bench.log] == ["info", "info"]
    assert bench.runner.fire(job(), later(5)) is not None


def test_a_job_that_is_due_while_another_scheduler_still_runs_it_is_missed(state: State) -> None:
    bench = Bench(state, Told())
    bench.stop.wait = lambda seconds: False  # type: ignore[method-assign,assignment,misc]
    claim(state, "detect", NOON, NOON)
    with state.lease(lease_name("detect"), this_process(), TTL, NOON):
        assert bench.runner.fire(job(), later(5)) is None
    assert [(each["level"], each["event"]) for each in bench.log] == [("error", "the job could not be begun")]
    assert 'crosswind_job_missed_total{job="detect"} 1' in bench.metrics.text(state, NOON)


def test_a_run_that_takes_too_long_has_failed(state: State) -> None:
    ran = Bench(state, Told(waits)).runner.fire(job(max_runtime=timedelta(milliseconds=50)), NOON)
    assert ran is not None
    assert (ran.attempt.outcome, ran.tries) == (FAILED, 1)
    assert "longer than" in ran.attempt.errors[0]
    assert abandoned(state, NOON) == []


def test_a_run_that_the_scheduler_gave_up_waits_for_the_next(state: State) -> None:
    bench = Bench(state, Told(waits, Attempt(DONE)))
    bench.stop.wanted = True
    bench.stop.wait = lambda seconds: False  # type: ignore[method-assign,assignment,misc]  # the wish comes once it has begun
    ran = bench.runner.fire(job(), NOON)
    assert ran is not None
    assert (ran.attempt.outcome, ran.attempt.errors) == (STOPPED, (STOPPING,))
    assert [record.name for record in abandoned(state, NOON)] == ["detect"]
    bench.stop.wanted = False
    again = bench.runner.fire(job(), NOON, again=True)
    assert again is not None
    assert again.attempt.outcome == DONE
    assert abandoned(state, NOON) == []
    assert [run.outcome for run in state.runs()] == [DONE, STOPPED]


def test_a_pause_between_tries_ends_with_the_scheduler(state: State) -> None:
    bench = Bench(state, Told(BUSY), backoff=(3600.0,))
    busy = bench.work

    def stops(reason: Callable[[], str | None]) -> Attempt:
        bench.stop.press()
        return BUSY

    busy.answers = [stops]
    ran = bench.runner.fire(job(), NOON)
    assert ran is not None
    assert (ran.attempt.outcome, ran.attempt.errors) == (STOPPED, ("busy", STOPPING))


def test_a_lease_that_is_lost_ends_the_run(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.schedule.jobs._SIGN", timedelta(0))
    monkeypatch.setattr("engine.schedule.jobs.TTL", timedelta(0))
    bench = Bench(state, Told(waits))
    takes = waits

    def taken(reason: Callable[[], str | None]) -> Attempt:
        with state.lease(lease_name("detect"), this_process(), timedelta(minutes=2), NOON):  # ours had run out
            return takes(reason)

    bench.work.answers = [taken]
    ran = bench.runner.fire(job(), NOON)
    assert ran is not None
    assert (ran.attempt.outcome, ran.attempt.errors) == (STOPPED, (LOST,))
    assert state.runs() == []


def test_jitter_begins_later_and_not_at_all_when_the_scheduler_stops(state: State) -> None:
    bench = Bench(state, Told())
    bench.stop.press()
    assert bench.runner.fire(job(jitter=timedelta(hours=1)), NOON) is None
    assert bench.work.asked == 0


def test_the_second_wish_to_stop_means_at_once() -> None:
    stop = Stop()
    assert not stop.wait(0)
    stop.press()
    assert (stop.wanted, stop.at_once) == (True, False)
    assert stop.wait(3600)
    stop.press()
    assert stop.at_once
