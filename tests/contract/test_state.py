"""What the state promises, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from engine.errors import EngineError, LeaseError, StateError, UsageError
from engine.model import Level, State
from engine.pipeline import ScanResult
from engine.store import pruning
from engine.store.alert_codec import decode, encode
from engine.store.alert_rows import AlertQuery
from engine.store.leases import this_process
from engine.store.records import ALERT, BatchResult, Delivered, Ended, Plan
from engine.store.state import State as Store
from tests.alert_samples import NOON, alert
from tests.states import KINDS, Taken, commit, later, new_place, plan, stored_alert

MINUTE = timedelta(minutes=1)
A, B, C = (f"{letter}" * 32 for letter in "abc")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_place(request.param, tmp_path)


@pytest.fixture
def state(place: str) -> Iterator[Store]:
    with Store.open(place) as opened:
        yield opened


def test_a_state_is_found_again(place: str) -> None:
    with Store.open(place) as first:
        made = first.created
        commit(first, 1, alerts=[alert()])
    with Store.open(place, create=False) as again:
        assert (again.created, again.last_batch()) == (made, 1)
        assert [each.alert for each in again.alerts()] == [alert()]


def test_a_plan_is_open_until_its_batch_is_done(state: Store) -> None:
    assert (state.open_plan(), state.last_batch()) == (None, 0)
    state.write_plan(plan(1))
    assert (state.open_plan(), state.last_batch()) == (plan(1), 0)
    state.commit(BatchResult(1), NOON)
    assert (state.open_plan(), state.last_batch(), state.batch_digest(1), state.batch_digest(2)) == (None, 1, "digest-1", None)


def test_one_plan_is_open_at_a_time(state: Store) -> None:
    state.write_plan(plan(1))
    state.write_plan(plan(1))
    for other in (plan(1, "another"), plan(2)):
        with pytest.raises(StateError, match="batch 1 was planned and is not done"):
            state.write_plan(other)
    state.commit(BatchResult(1), NOON)
    with pytest.raises(StateError, match=r"batch 1 cannot be planned after batch 1.*state repair"):
        state.write_plan(plan(1, "another"))


def test_plans_may_skip_numbers_but_not_go_back(state: Store) -> None:
    commit(state, 7)
    assert state.last_batch() == 7
    with pytest.raises(StateError, match="after batch 7"):
        state.write_plan(plan(6))


def test_committing_twice_is_committing_once(state: Store) -> None:
    done = commit(state, 1, alerts=[alert()])
    again = state.commit(BatchResult(1, alerts=[alert(count=99)], sinks=("siem",)), later(5))
    assert (done.already, done.created, done.queued, again.already, again.created, again.queued) == (False, 1, 1, True, 0, 0)
    assert (state.alerts()[0].alert.count, state.alerts()[0].revision, len(state.runs())) == (2, 1, 1)


def test_a_batch_without_a_plan_is_refused(state: Store) -> None:
    with pytest.raises(StateError, match=r"batch 3 has no plan.*state repair"):
        state.commit(BatchResult(3, alerts=[alert()]), NOON)
    assert state.alerts() == []


def test_a_commit_is_whole_or_nothing(state: Store) -> None:
    state.write_plan(plan(1))
    with pytest.raises(EngineError, match="was never stored"):
        state.commit(BatchResult(1, [alert()], [Ended(C, State.RETRACTED, "?")], {"trail": [Taken("a.json")]}, sinks=("siem",)), NOON)
    assert (state.alerts(), state.seen("trail", ["a.json"]), state.outbox("siem", 10), state.runs()) == ([], {}, [], [])
    assert state.open_plan() == plan(1)


def test_objects_that_no_listing_had_for_long_are_forgotten(state: Store) -> None:
    names = ["stays", "goes", "comes back"]
    commit(state, 1, seen={"trail": [Taken(name) for name in names], "other": [Taken("goes")]})
    day = timedelta(days=1)

    def listed(days: float, *uris: str) -> list[str]:
        if state.sweep_due("trail", NOON + days * day):
            state.sweep("trail", uris, NOON + days * day)
        return sorted(state.seen("trail", names))

    assert listed(0, *names) == sorted(names)
    assert listed(1, "stays") == sorted(names), "gone since today"
    assert listed(20, "stays", "comes back") == sorted(names)
    assert listed(31.5, "stays") == ["comes back", "stays"]
    assert not state.sweep_due("trail", NOON + 31.6 * day), "once a day"
    assert listed(70, "stays") == ["stays"]
    assert list(state.seen("other", names)) == ["goes"]
    assert state.sweep_due("trail", NOON), "a clock that was set back"


def test_sources_that_are_configured_no_more_are_forgotten_in_the_end(state: Store) -> None:
    commit(state, 1, seen={"trail": [Taken("a"), Taken("b")], "other": [Taken("a")]})
    day = timedelta(days=1)
    assert [(each.name, each.objects, each.since) for each in state.removed(["other"])] == [("trail", 2, None)]
    state.sweep_removed(["other"], NOON)
    assert [(each.name, each.objects, each.since) for each in state.removed(["other"])] == [("trail", 2, NOON)]
    state.sweep_removed(["other"], NOON + 29.5 * day)
    assert sorted(state.seen("trail", ["a", "b"])) == ["a", "b"]
    state.sweep_removed(["other"], NOON + 30.6 * day)
    assert (state.seen("trail", ["a", "b"]), state.removed(["other"]), list(state.sources())) == ({}, [], ["other"])
    assert list(state.seen("other", ["a"])) == ["a"]


def test_a_source_that_is_configured_again_keeps_what_it_still_lists(state: Store) -> None:
    commit(state, 1, seen={"trail": [Taken("a"), Taken("b")]})
    day = timedelta(days=1)
    state.sweep_removed([], NOON)
    state.sweep_removed(["trail"], NOON + 20 * day)
    assert state.sweep_due("trail", NOON + 40 * day)
    state.sweep("trail", ["a"], NOON + 40 * day)
    assert list(state.seen("trail", ["a", "b"])) == ["a"]


def test_old_runs_and_plans_are_forgotten(state: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "RUNS", 4)
    monkeypatch.setattr(pruning, "PLANS", 3)
    commit(state, 1, alerts=[alert()])
    commit(state, 2, seen={"trail": [Taken("a.json")]})
    for batch in range(3, 10):
        commit(state, batch)
    state.write_plan(plan(10))
    state.sweep("trail", ["a.json"], later(20))
    assert [run.batch for run in state.runs()] == [9, 8, 7, 6]
    assert [batch for batch in range(1, 12) if state.batch_digest(batch)] == [1, 2, 6, 7, 8, 9, 10], "what something refers to stays"
    assert (state.last_batch(), (state.open_plan() or plan(0)).batch) == (9, 10)
    assert len(state.alerts()) == 1


def test_a_batch_leaves_cursors_times_rules_and_a_record(state: Store) -> None:
    taken = Taken("logs/\udcff\x00.json", "v1", 10, 8, "p", "t")
    report = {"records": 5, "failures": ["a.json: cut off"]}
    first_times = {"aws.cloudtrail": NOON, "gcp.audit": NOON}
    commit(state, 1, seen={"trail": [taken], "quiet": []}, latest=first_times, report=report, rule_hashes={"r-1": "h", "r-2": "h"})
    commit(
        state, 2, seen={"trail": [replace(taken, end=10)]}, latest={"aws.cloudtrail": NOON - MINUTE, "gcp.audit": later(1)}, rule_hashes={"r-2": "i"}
    )
    found = state.seen("trail", [taken.uri, "other"])
    assert found == {taken.uri: {"uri": taken.uri, "version": "v1", "size": 10, "end": 10, "prefix": "p", "tail": "t", "records": 0}}
    assert state.seen("quiet", [taken.uri]) == {}
    assert state.sources() == {"trail": later(2), "quiet": later(1)}
    assert state.latest() == {"aws.cloudtrail": NOON, "gcp.audit": later(1)}
    assert state.rule_hashes() == {"r-2": "i"}
    second, first = state.runs()
    assert (first.batch, first.started, first.finished, first.outcome) == (1, NOON, later(1), "done")
    assert (first.counts, first.errors, second.batch) == (report, ("a.json: cut off",), 2)


def test_runs_without_a_batch_are_recorded_too(state: Store) -> None:
    state.record_run(started=NOON, finished=later(1), outcome="failed", counts={}, errors=["the disk is full"])
    state.looked_through(["trail"], later(1))
    assert [(run.batch, run.outcome, run.errors) for run in state.runs()] == [(None, "failed", ("the disk is full",))]
    assert state.sources() == {"trail": later(1)}


def test_many_objects_are_looked_up_at_once(state: Store) -> None:
    commit(state, 1, seen={"trail": [Taken(f"{'d' * 3000}/{i}") for i in range(12_000)]})
    found = state.seen("trail", [f"{'d' * 3000}/{i}" for i in range(0, 24_000, 2)])
    assert len(found) == 6_000


def test_a_revision_for_each_change_and_none_for_the_same(state: Store) -> None:
    one, two = alert(uid=A), alert(uid=B)
    commit(state, 1, alerts=[one, two])
    done = commit(state, 2, alerts=[one, replace(two, count=3)])
    assert (done.created, done.changed, done.unchanged, done.queued) == (0, 1, 1, 1)
    first, second = state.alerts()
    assert (first.alert, first.revision, first.sequence, first.created, first.updated) == (one, 1, 1, later(1), later(1))
    assert (second.alert.count, second.revision, second.sequence, second.created, second.updated) == (3, 2, 3, later(1), later(2))
    assert [each.alert.uid for each in state.alerts(AlertQuery(since=2))] == [B]
    assert state.last_sequence() == 3


def test_alerts_end_and_come_back(state: Store) -> None:
    commit(state, 1, alerts=[alert(uid=A), alert(uid=B)])
    done = commit(state, 2, ended=[Ended(A, State.SUPERSEDED, "late events joined it", (B, C)), Ended(B, State.RETRACTED, "rule changed")])
    assert (done.ended, done.queued) == (2, 2)
    first, second = state.alerts()
    assert (first.alert, first.superseded_by, first.why) == (alert(uid=A, state=State.SUPERSEDED), (B, C), "late events joined it")
    assert (second.alert.state, second.superseded_by, second.why, second.revision) == (State.RETRACTED, (), "rule changed", 2)
    assert commit(state, 3, ended=[Ended(B, State.RETRACTED, "rule changed")]).unchanged == 1
    back = commit(state, 4, alerts=[alert(uid=B)])
    assert (back.created, back.changed, back.queued) == (0, 1, 1)
    live = state.alerts(AlertQuery(states=(State.LIVE,)))
    assert [(each.alert, each.revision, each.why, each.superseded_by) for each in live] == [(alert(uid=B), 3, None, ())]


def test_an_alert_that_changes_and_ends_in_one_batch_is_one_revision(state: Store) -> None:
    commit(state, 1, alerts=[alert(uid=A)])
    done = commit(state, 2, alerts=[alert(uid=A, count=9)], ended=[Ended(A, State.RETRACTED, "rule changed")])
    (stored,) = state.alerts()
    assert (done.queued, stored.revision, stored.alert.count, stored.alert.state) == (1, 2, 9, State.RETRACTED)


def test_alerts_are_found_by_what_they_are(state: Store) -> None:
    other = alert(uid=B, rule=replace(alert().rule, uid="r-2"), level=Level.LOW, first_time=later(60), last_time=later(90))
    commit(state, 1, alerts=[alert(uid=A), other])
    state.set_human("alert", A, "ann", NOON, status="acknowledged")

    def found(**asked: object) -> list[str]:
        return [each.alert.uid for each in state.alerts(AlertQuery(**asked))]  # type: ignore[arg-type]

    assert found() == [A, B]
    assert found(newest=True, limit=1) == [B]
    assert (found(rules=["r-2"]), found(min_level=Level.MEDIUM), found(uid="aaa"), found(uid="%")) == ([B], [A], [A], [])
    assert (found(start=later(4), end=later(60)), found(start=later(4.1), end=later(59))) == ([A, B], [])
    assert (found(statuses=["open"]), found(statuses=["acknowledged", "closed"]), found(uids=[C, A])) == ([B], [A], [A])
    assert (state.alert_uid("a"), state.alert_uid(B)) == (A, B)
    commit(state, 2, alerts=[alert(uid="a" * 31 + "b")])
    for prefix, said in (("a", "several alerts"), ("", "several alerts"), ("c", "there is no alert 'c'")):
        with pytest.raises(UsageError, match=said):
            state.alert_uid(prefix)


def test_nothing_of_an_alert_is_lost(state: Store, sample_scan: ScanResult) -> None:
    odd = alert(uid=C, reason="\x00\ud800 json:", evidence={"n": float("inf"), "t": NOON, "l": ["\x00"], "big": 1 << 70, "$time": 1})
    kept = [*sample_scan.alerts, odd]
    commit(state, 1, alerts=kept)
    assert [each.alert for each in state.alerts()] == kept
    assert all(decode(encode(each), each.state) == each for each in kept)


def test_human_state_lives_beside_the_alert(state: Store) -> None:
    commit(state, 1, alerts=[alert(uid=A)])
    assert state.alerts()[0].human is None
    state.set_human("alert", A, "ann", later(2), assignee="bob", note="looks odd\x00")
    state.set_human("alert", A, "bob", later(3), status="closed", verdict="benign", reason="a drill")
    commit(state, 4, alerts=[alert(uid=A, count=8)])
    (stored,) = state.alerts()
    human = stored.human
    assert human is not None
    assert (stored.revision, human.status, human.verdict, human.reason, human.assignee) == (2, "closed", "benign", "a drill", "bob")
    assert (human.who, human.at, [(note.who, note.text) for note in human.notes]) == ("bob", later(3), [("ann", "looks odd\x00")])
    state.set_human("alert", A, "ann", later(5), status="open", verdict="", assignee="")
    history = state.history("alert", A)
    assert [(each.who, each.status, each.verdict, each.assignee, each.note) for each in history] == [
        ("ann", "acknowledged", None, "bob", "looks odd\x00"),
        ("bob", "closed", "benign", None, None),
        ("ann", "open", "", "", None),
    ]
    now = state.alerts()[0].human
    assert now is not None
    assert (now.status, now.verdict, now.assignee, now.reason) == ("open", None, None, "a drill")
    assert state.last_sequence() == 2  # a change by people is no change of the alert


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"uid": B}, "there is no alert"),
        ({"kind": "finding"}, "there is no finding"),
        ({"who": " "}, "--as NAME"),
        ({"status": "done"}, "open, acknowledged, closed"),
        ({"verdict": "bad"}, "true-positive, benign, false-positive"),
        ({"note": ""}, "empty note"),
        ({"status": None}, "nothing to change"),
    ],
)
def test_what_people_may_not_say(state: Store, values: dict[str, str | None], said: str) -> None:
    commit(state, 1, alerts=[alert(uid=A)])
    arguments = {"kind": "alert", "uid": A, "who": "ann", "status": "closed", **values}
    with pytest.raises(UsageError, match=said):
        state.set_human(now=NOON, **arguments)  # type: ignore[arg-type]
    assert state.history("alert", A) == []


def test_each_person_has_a_last_look(state: Store) -> None:
    assert state.last_look(ALERT, "ann") == 0
    state.look(ALERT, "ann", 5)
    state.look(ALERT, "bob", 7)
    state.look(ALERT, "ann", 6)
    assert (state.last_look(ALERT, "ann"), state.last_look(ALERT, "bob")) == (6, 7)


def test_every_sink_is_told_of_every_change_once(state: Store) -> None:
    commit(state, 1, alerts=[alert(uid=A), alert(uid=B)], sinks=("siem", "file"))
    first, second = state.outbox("siem", 10)
    assert (first.uid, first.revision, first.first, first.rose, stored_alert(first)) == (A, 1, True, False, alert(uid=A))
    assert [row.uid for row in state.outbox("siem", 1, after=first.id)] == [B]
    state.delivered("siem", [first.id, second.id], later(2))
    assert (state.outbox("siem", 10), len(state.outbox("file", 10))) == ([], 2)
    commit(state, 2, alerts=[alert(uid=A, level=Level.CRITICAL), alert(uid=B)], sinks=("siem",))
    (row,) = state.outbox("siem", 10)
    assert (row.uid, row.revision, row.first, row.rose, row.before) == (A, 2, False, True, Delivered(1, Level.HIGH, State.LIVE))


def test_alerts_below_the_level_asked_for_are_stored_and_told_only_to_who_knows_them(state: Store) -> None:
    commit(state, 1, alerts=[alert(uid=A, level=Level.LOW), alert(uid=B)], min_level=Level.HIGH)
    (row,) = state.outbox("siem", 10)
    assert (row.uid, len(state.alerts())) == (B, 2)
    state.delivered("siem", [row.id], later(2))
    commit(state, 2, alerts=[alert(uid=A, level=Level.LOW, count=2), alert(uid=B, level=Level.LOW)], min_level=Level.HIGH)
    assert [row.uid for row in state.outbox("siem", 10)] == [B]


def test_an_alert_that_changed_again_is_told_once_as_it_is_now(state: Store) -> None:
    for batch in (1, 2, 3):
        commit(state, batch, alerts=[alert(uid=A, count=batch)])
    (row,) = state.outbox("siem", 1)
    assert (row.revision, stored_alert(row).count, row.first) == (3, 3, True)
    assert state.outbox("siem", 1, after=row.id) == []
    state.delivered("siem", [row.id], later(4))
    assert (state.outbox("siem", 10), state.depths()) == ([], [])


def test_a_change_during_a_delivery_is_not_lost(state: Store) -> None:
    commit(state, 1, alerts=[alert(uid=A)])
    (sending,) = state.outbox("siem", 10)
    commit(state, 2, alerts=[alert(uid=A, count=7)])
    state.delivered("siem", [sending.id], later(3))
    (row,) = state.outbox("siem", 10)
    assert (row.revision, stored_alert(row).count, row.before) == (2, 7, Delivered(1, Level.HIGH, State.LIVE))


def test_what_is_told_out_of_order_does_not_go_back(state: Store) -> None:
    commit(state, 1, alerts=[alert(uid=A)])
    (early,) = state.outbox("siem", 10)
    commit(state, 2, alerts=[alert(uid=A, count=7)])
    (late,) = state.outbox("siem", 10)
    state.delivered("siem", [late.id], later(3))
    state.delivered("siem", [early.id], later(4))
    commit(state, 3, alerts=[alert(uid=A, count=8)])
    (row,) = state.outbox("siem", 10)
    assert row.before is not None
    assert row.before.revision == 2


def test_failures_wait_and_dead_letters_can_be_replayed(state: Store) -> None:
    commit(state, 1, alerts=[alert(uid=A), alert(uid=B)])
    commit(state, 2, alerts=[alert(uid=B, count=4)])
    first, second = state.outbox("siem", 10)
    state.failed("siem", [(first.id, "429 busy")], dead=False, now=later(3))
    state.failed("siem", [(second.id, "400 mapping\x00")], dead=True, now=later(3))
    (waits,) = state.outbox("siem", 10)
    (letter,) = state.dead_letters("siem")
    assert (waits.uid, waits.attempts, letter.uid, letter.reason, letter.attempts, letter.tried) == (A, 1, B, "400 mapping\x00", 1, later(3))
    (depth,) = state.depths()
    assert (depth.sink, depth.waiting, depth.oldest, depth.failing, depth.dead) == ("siem", 1, later(1), 1, 1)
    assert (state.replay("file"), state.replay("siem", [first.id]), state.replay("siem"), state.replay("siem")) == (0, 0, 1, 0)
    assert [(row.uid, stored_alert(row).count) for row in state.outbox("siem", 10)] == [(A, 2), (B, 4)]


def test_a_later_state_that_is_delivered_settles_a_dead_letter(state: Store) -> None:
    commit(state, 1, alerts=[alert(uid=A)])
    (row,) = state.outbox("siem", 10)
    state.failed("siem", [(row.id, "400 mapping")], dead=True, now=later(2))
    commit(state, 2, alerts=[alert(uid=A, count=4)])
    (row,) = state.outbox("siem", 10)
    state.delivered("siem", [row.id], later(3))
    assert (state.dead_letters(), state.depths()) == ([], [])


def test_a_lease_is_held_by_one_until_it_ends_or_runs_out(state: Store) -> None:
    with state.lease("lake", "one", MINUTE, NOON) as lease:
        with pytest.raises(LeaseError, match="one holds 'lake' until 2026-03-01 12:01:00 UTC"), state.lease("lake", "two", MINUTE, later(0.9)):
            pass
        with state.lease("schedule", "two", MINUTE, NOON):
            pass
        lease.renew(later(0.9))
        with pytest.raises(LeaseError, match="until 2026-03-01 12:01:54 UTC"), state.lease("lake", "two", MINUTE, later(1.5)):
            pass
        with state.lease("lake", "two", MINUTE, later(2)), pytest.raises(LeaseError, match="taken over"):
            lease.renew(later(2))
    with state.lease("lake", "three", MINUTE, NOON):
        pass


def test_who_lost_a_lease_does_not_give_away_that_of_another(state: Store) -> None:
    first = state.lease("lake", "one", MINUTE, NOON)
    first.__enter__()
    with state.lease("lake", "two", MINUTE, later(2)):
        first.__exit__(None, None, None)
        with pytest.raises(LeaseError, match="two holds"), state.lease("lake", "three", MINUTE, later(2)):
            pass


def test_the_lease_of_a_process_that_died_here_is_free(state: Store) -> None:
    here = this_process()
    number = here.split()[1]
    dead = here.replace(f"process {number} ", "process 4194999 ")
    elsewhere = dead.replace(" on ", " on not-")
    held = [state.lease("lake", dead, MINUTE, NOON), state.lease("lake", elsewhere, MINUTE, NOON)]
    held[0].__enter__()
    with state.lease("lake", here, MINUTE, NOON), pytest.raises(LeaseError, match=f"process {number}"), state.lease("lake", "two", MINUTE, NOON):
        pass
    held[1].__enter__()
    with pytest.raises(LeaseError, match="not-"), state.lease("lake", here, MINUTE, NOON):
        pass


def test_of_many_that_reach_for_a_lease_one_has_it(place: str, state: Store) -> None:
    held: list[str] = []
    refused: list[LeaseError] = []
    together, until = Barrier(4), Barrier(4)

    def reach(name: str) -> None:
        with Store.open(place) as mine:
            together.wait()
            try:
                with mine.lease("lake", name, MINUTE, NOON):
                    held.append(name)
                    until.wait()
            except LeaseError as error:
                refused.append(error)
                until.wait()

    threads = [Thread(target=reach, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 3)


def test_two_that_open_a_new_state_at_once_make_one(place: str) -> None:
    together = Barrier(3)
    made: list[object] = []

    def make() -> None:
        together.wait()
        with Store.open(place) as mine:
            made.append(mine.created)

    threads = [Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3
    assert len(set(made)) == 1


def test_of_several_who_open_new_files_at_once_nobody_is_refused(tmp_path: Path) -> None:
    together, refused, rounds = Barrier(3, timeout=60), [], 40
    made: set[tuple[int, object]] = set()

    def make() -> None:
        for number in range(rounds):
            together.wait()
            try:
                with Store.open(tmp_path / f"{number}.db") as mine:
                    made.add((number, mine.created))
            except StateError as error:
                refused.append(error)

    threads = [Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    assert len(made) == rounds


def test_a_plan_keeps_texts_no_database_takes(state: Store) -> None:
    odd = Plan(1, ("a\ud800",), '["\x00"]', "d", NOON, "r")
    state.write_plan(odd)
    assert state.open_plan() == odd
