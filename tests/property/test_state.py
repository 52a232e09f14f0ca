"""Whatever batches, replays, ends and deliveries come in whatever order: the state says what a plain model of it says."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.model import State
from engine.store.alert_rows import AlertQuery
from engine.store.records import BatchResult, Ended
from engine.store.state import State as Store
from tests.alert_samples import NOON, alert
from tests.examples import examples
from tests.states import KINDS, later, new_place, plan, stored_alert

UIDS = ("a" * 32, "b" * 32, "c" * 32)
SINKS = ("siem", "file")
Shown = tuple[int, State, str | None]
"""What an alert is: count, state, why it ended."""

found = st.dictionaries(st.sampled_from(UIDS), st.integers(1, 3), max_size=3)
ended = st.dictionaries(st.sampled_from(UIDS), st.sampled_from([State.RETRACTED, State.SUPERSEDED]), max_size=2)
steps = st.one_of(
    st.tuples(st.just("batch"), found, ended, st.sampled_from([SINKS, SINKS[:1], ()])),
    st.tuples(st.just("again")),
    st.tuples(st.just("read"), st.sampled_from(SINKS)),
    st.tuples(st.just("deliver"), st.sampled_from(SINKS)),
    st.tuples(st.just("fail"), st.sampled_from(SINKS), st.booleans()),
    st.tuples(st.just("replay"), st.sampled_from(SINKS)),
)


@dataclass
class Model:
    """What must be: alerts, how often each changed, what each sink was told and is owed."""

    batch: int = 0
    alerts: dict[str, Shown] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    owed: dict[str, dict[str, int]] = field(default_factory=lambda: {sink: {} for sink in SINKS})
    told: dict[str, dict[str, int]] = field(default_factory=lambda: {sink: {} for sink in SINKS})
    reading: dict[str, list[tuple[int, str, int]]] = field(default_factory=lambda: {sink: [] for sink in SINKS})
    dead: dict[str, dict[str, int]] = field(default_factory=lambda: {sink: {} for sink in SINKS})

    def change(self, uid: str, shown: Shown, sinks: tuple[str, ...]) -> bool:
        if self.alerts.get(uid) == shown:
            return False
        self.alerts[uid] = shown
        self.revisions[uid] = self.revisions.get(uid, 0) + 1
        self.order = [*(each for each in self.order if each != uid), uid]
        for sink in sinks:
            self.owed[sink][uid] = self.revisions[uid]
        return True


def commit(state: Store, model: Model, counts: dict[str, int], ends: dict[str, State], sinks: tuple[str, ...]) -> None:
    model.batch += 1
    state.write_plan(plan(model.batch))
    result = BatchResult(
        model.batch,
        [alert(uid=uid, count=count) for uid, count in counts.items()],
        [Ended(uid, end, "why") for uid, end in ends.items()],
        sinks=sinks,
    )
    if unknown := ends.keys() - counts.keys() - model.alerts.keys():
        try:
            state.commit(result, later(model.batch))
        except EngineError as error:
            assert any(uid in str(error) for uid in unknown)  # noqa: PT017
        else:
            raise AssertionError("an unknown alert ended")
        assert state.open_plan() == plan(model.batch)
        counts, ends = {}, {}
        result = BatchResult(model.batch, sinks=sinks)
    done = state.commit(result, later(model.batch))
    changed = 0
    for uid in [*counts, *(uid for uid in ends if uid not in counts)]:
        count = counts.get(uid) or model.alerts[uid][0]
        changed += model.change(uid, (count, ends.get(uid, State.LIVE), "why" if uid in ends else None), sinks)
    assert (done.already, done.created + done.changed + done.unchanged <= 3, done.queued) == (False, True, changed * len(sinks))


def step(state: Store, model: Model, what: tuple[object, ...]) -> None:
    match what:
        case ("batch", dict(counts), dict(ends), tuple(sinks)):
            commit(state, model, counts, ends, sinks)
        case ("again",) if model.batch:
            assert state.commit(BatchResult(model.batch, [alert(uid=UIDS[0], count=99)], sinks=SINKS), NOON).already
        case ("read", str(sink)):
            model.reading[sink] = [(row.id, row.uid, row.revision) for row in state.outbox(sink, 10)]
        case ("deliver", str(sink)):
            state.delivered(sink, [number for number, _, _ in model.reading[sink]], NOON)
            for _, uid, revision in model.reading[sink]:
                if model.owed[sink].get(uid) == revision:
                    del model.owed[sink][uid]
                if model.dead[sink].get(uid, revision + 1) <= revision:
                    del model.dead[sink][uid]
                if revision > model.told[sink].get(uid, 0):
                    model.told[sink][uid] = revision
            model.reading[sink] = []
        case ("fail", str(sink), bool(dead)):
            rows = state.outbox(sink, 10)
            state.failed(sink, [(row.id, "no") for row in rows], dead=dead, now=NOON)
            model.reading[sink] = []
            if dead:
                for row in rows:
                    model.dead[sink][row.uid] = model.owed[sink].pop(row.uid)
        case ("replay", str(sink)):
            state.replay(sink)
            model.owed[sink] = {**model.dead[sink], **model.owed[sink]}
            model.dead[sink] = {}


def check(state: Store, model: Model) -> None:
    stored = state.alerts()
    assert [each.alert.uid for each in stored] == model.order
    assert {each.alert.uid: (each.alert.count, each.alert.state, each.why) for each in stored} == model.alerts
    assert {each.alert.uid: each.revision for each in stored} == model.revisions
    numbers = [each.sequence for each in stored]
    assert numbers == sorted(set(numbers))
    assert max(numbers, default=0) == sum(model.revisions.values()) == state.last_sequence()
    if numbers:
        assert [each.sequence for each in state.alerts(AlertQuery(since=numbers[0]))] == numbers[1:]
    assert (state.last_batch(), state.open_plan(), len(state.runs(1000))) == (model.batch, None, model.batch)
    for sink in SINKS:
        rows = state.outbox(sink, 10)
        assert {row.uid: row.revision for row in rows} == model.owed[sink]
        assert {row.uid: row.before.revision for row in rows if row.before} == {
            uid: model.told[sink][uid] for uid in model.owed[sink] if uid in model.told[sink]
        }
        assert all((stored_alert(row).count, stored_alert(row).state) == model.alerts[row.uid][:2] for row in rows)


def run(kind: str, sequence: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.open(new_place(kind, Path(folder))) as state:
        model = Model()
        for what in sequence:
            step(state, model, what)
            check(state, model)


@examples(30)
@given(st.lists(steps, max_size=12))
def test_any_sequence_on_sqlite(sequence: list[tuple[object, ...]]) -> None:
    run(KINDS[0], sequence)


@examples(8)
@given(st.lists(steps, max_size=12))
def test_any_sequence_on_a_server(sequence: list[tuple[object, ...]]) -> None:
    run(KINDS[1], sequence)
