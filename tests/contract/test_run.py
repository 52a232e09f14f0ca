"""`crosswind run`: collects what is new, once, and keeps alerts right whatever comes later."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.config import load_config
from engine.model import Level, State
from engine.pipeline import ScanResult
from engine.pipeline.watch.scheduled import run as work
from engine.store.lake_care import retain
from tests.conftest import SAMPLE, Ran
from tests.logs import lines
from tests.running import Place, call, many, rule

Run = Callable[..., Ran]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


@pytest.fixture
def run(cli: Callable[..., Ran], place: Place) -> Run:
    return lambda *arguments: cli("run", "--config", place.config, *arguments)


def summary(run: Run, place: Place, *arguments: str) -> dict[str, Any]:
    """The account of a run that ends well."""
    path = place.root / "summary.json"
    path.unlink(missing_ok=True)
    ran = run("--summary", path, *arguments)
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_run_finds_what_scan_finds(cli: Callable[..., Ran], tmp_path: Path, sample_scan: ScanResult) -> None:
    place = Place(tmp_path / "place")
    place.config.write_text(f'[source.sample]\npath = "{SAMPLE / "logs"}"\n[sink.out]\ntype = "file"\npath = "alerts.ndjson"\n')
    assert cli("run", "--config", place.config).code == 0
    scanned = {alert.uid: alert for alert in sample_scan.alerts}
    assert place.alerts() == scanned
    assert sorted(document["uid"] for document in place.delivered()) == sorted(scanned)
    again = cli("run", "--config", place.config)
    assert again.code == 0
    assert "nothing new in sample" in again.err
    assert len(place.delivered()) == len(scanned)


def test_new_files_join_what_is_there(run: Run, place: Place) -> None:
    place.put("a.json", call(1, 0), call(2, 5))
    first = summary(run, place)
    assert [batch["alerts"] for batch in first["batches"]] == [{"new": 1, "changed": 0, "ended": 0}]
    uid, alert = place.alerts().popitem()
    assert alert.count == 2
    place.put("b.json", call(3, 10), call(4, 300))
    second = summary(run, place)
    assert [batch["alerts"] for batch in second["batches"]] == [{"new": 1, "changed": 1, "ended": 0}]
    assert place.alerts()[uid].count == 3
    assert [document["revision"] for document in place.delivered() if document["uid"] == uid] == [1, 2]
    assert summary(run, place)["without_news"] == ["trail"]


def test_an_earlier_event_supersedes(run: Run, place: Place) -> None:
    place.put("a.json", call(2, 5))
    assert run().code == 0
    (before,) = place.alerts()
    place.put("b.json", call(1, 0))
    assert run().code == 0
    (after,) = place.alerts()
    assert after != before
    assert place.ended() == {before: ("superseded", "late data")}


def test_duplicates_across_batches_are_counted_and_dropped(run: Run, place: Place) -> None:
    place.put("a.json", call(1, 0), call(2, 5))
    assert run().code == 0
    alerts, hits = place.alerts(), place.hits()
    place.put("b.json", call(2, 5), call(1, 0))
    report = summary(run, place)["batches"][0]["report"]
    assert (report["events"], report["duplicates"]) == (0, 2)
    assert place.alerts() == alerts
    assert place.hits().equals(hits)
    assert place.events().height == 2


@pytest.mark.parametrize("greater_first", [False, True])
@pytest.mark.parametrize("second_minute", [0, 60 * 17])
def test_of_two_records_with_one_identity_the_greater_stays(run: Run, place: Place, greater_first: bool, second_minute: int) -> None:
    """Also where they tell times of two days."""
    from hashlib import sha256

    one, other = call(1, 0), call(1, second_minute, "DescribeTrails")
    lesser, greater = sorted((one, other), key=lambda each: sha256(json.dumps(each).encode()).digest())
    first, second = (greater, lesser) if greater_first else (lesser, greater)
    place.put("a.json", first, call(9, 0, "Other"))
    assert run().code == 0
    place.put("b.json", second)
    report = summary(run, place)["batches"][0]["report"]
    assert report["conflicts"] == 1
    kept = place.events().sort("x.uid")["raw_data"].to_list()
    assert json.dumps(greater) in kept
    assert len(kept) == 2
    assert len(place.alerts()) == (greater is one)
    assert place.hits().height == (greater is one)


def test_a_growing_file_is_read_from_where_it_stood(run: Run, place: Place) -> None:
    path = place.put("grows.json", call(1, 0), call(2, 5))
    assert run().code == 0
    with path.open("ab") as file:
        file.write(lines(call(3, 10), call(4, 15))[:-20])
    report = summary(run, place)["batches"][0]["report"]
    assert (report["records"], report["events"]) == (1, 1)
    path.write_bytes(lines(*(call(number, 5 * number - 5) for number in range(1, 6))))
    report = summary(run, place)["batches"][0]["report"]
    assert (report["records"], report["events"]) == (2, 2)
    assert place.events()["x.position"].sort().to_list() == [0, 1, 2, 3, 4]
    (alert,) = place.alerts().values()
    assert alert.count == 5


def test_a_changed_rule_looks_at_what_is_stored(run: Run, place: Place) -> None:
    place.put("a.json", call(1, 0), call(2, 300, "DeleteTrail"))
    assert run().code == 0
    (before,) = place.alerts()
    place.rules(rule(1, "DeleteTrail"))
    (batch,) = summary(run, place)["batches"]
    assert batch["source"] is None
    assert batch["alerts"] == {"new": 1, "changed": 0, "ended": 1}
    assert place.ended() == {before: ("retracted", "rule changed")}
    (after,) = place.alerts().values()
    assert after.event_uids[0].split("|")[0].endswith("2")
    assert summary(run, place)["batches"] == []


def test_a_new_rule_finds_what_is_stored_within_the_horizon(run: Run, place: Place) -> None:
    place.configure('[limits]\nhorizon = "1d"\n')
    place.put("a.json", call(1, 0, "DeleteTrail"), call(2, 60 * 24 * 12, "DeleteTrail"), call(3, 60 * 24 * 12))
    assert run().code == 0
    place.rules(rule(1), rule(2, "DeleteTrail"))
    assert run().code == 0
    assert sorted(alert.event_uids[0].split("|")[0][-1] for alert in place.alerts().values()) == ["2", "3"]
    assert place.ended() == {}


def test_alerts_of_a_removed_rule_are_taken_back(run: Run, place: Place) -> None:
    place.rules(rule(1), rule(2, "DeleteTrail"))
    place.put("a.json", call(1, 0), call(2, 0, "DeleteTrail"))
    assert run().code == 0
    assert len(place.alerts()) == 2
    place.rules(rule(2, "DeleteTrail"))
    assert run().code == 0
    assert [alert.rule.uid[-1] for alert in place.alerts().values()] == ["2"]
    assert list(place.ended().values()) == [("retracted", "rule changed")]


def test_correlations_that_come_change_and_go_are_worked_out_again(run: Run, place: Place) -> None:
    place.put("a.json", *(call(number, 10 * number) for number in range(3)))
    assert run().code == 0
    (plain,) = place.alerts()
    place.rules(rule(1), many(1))
    assert run().code == 0
    assert [alert.rule.title for alert in place.alerts().values()] == ["Many"]
    assert place.ended() == {plain: ("retracted", "rule changed")}, "its rule speaks through the correlation now"
    (correlated,) = place.alerts()
    place.rules(rule(1), many(1, count=4))
    assert run().code == 0
    assert place.alerts() == {}
    assert place.ended()[correlated] == ("retracted", "rule changed")
    place.rules(rule(1))
    assert run().code == 0
    assert list(place.alerts()) == [plain]


def test_a_rule_changed_twice_back_is_as_before(run: Run, place: Place) -> None:
    place.put("a.json", call(1, 0), call(2, 90, "DeleteTrail"))
    assert run().code == 0
    alerts = place.alerts()
    place.rules(rule(1, "DeleteTrail"))
    assert run().code == 0
    place.rules(rule(1))
    assert run().code == 0
    assert place.alerts() == alerts


def test_backfill_looks_again_and_doubles_nothing(run: Run, place: Place) -> None:
    place.configure('[limits]\nhorizon = "1d"\n')
    place.put("a.json", call(1, 60 * 24 * 12))
    assert run().code == 0
    place.put("b.json", call(2, 0))
    late = run()
    assert late.code == 0
    assert "came too late" in late.err
    assert len(place.alerts()) == 1
    hits = place.hits()
    (batch,) = summary(run, place, "--backfill", "--from", "2026-03-01", "--to", "2026-03-02")["batches"]
    assert batch["alerts"]["new"] == 1
    assert len(place.alerts()) == 2
    assert place.hits().equals(hits)
    alerts = place.alerts()
    (batch,) = summary(run, place, "--backfill")["batches"]
    assert batch["alerts"] == {"new": 0, "changed": 0, "ended": 0}
    assert place.alerts() == alerts


def test_backfill_of_a_source_reads_it_again_and_doubles_nothing(run: Run, place: Place) -> None:
    place.put("a.json", call(1, 0), call(2, 60 * 24))
    grows = place.put("grows.json", call(3, 60 * 24 * 20))
    assert run().code == 0
    with grows.open("ab") as file:
        file.write(lines(call(4, 60 * 24 * 20 + 5)))
    assert run().code == 0
    events, hits, alerts = place.events(), place.hits(), place.alerts()
    again = ("--backfill", "--source", "trail")
    (batch,) = summary(run, place, *again)["batches"]
    assert (batch["source"], batch["alerts"]) == ("trail", {"new": 0, "changed": 0, "ended": 0})
    assert (batch["report"]["events"], batch["report"]["duplicates"]) == (0, 4)
    retain(place.lake(), datetime(2026, 3, 25, tzinfo=UTC), days=10)
    assert place.events().height == 2
    (batch,) = summary(run, place, *again, "--from", "2026-03-02", "--to", "2026-03-04")["batches"]
    assert (batch["report"]["events"], batch["report"]["out_of_range"]) == (1, 3)
    (batch,) = summary(run, place, *again)["batches"]
    assert batch["report"]["events"] == 1
    assert place.events().equals(events)
    assert place.hits().equals(hits)
    assert place.alerts() == alerts
    assert summary(run, place)["without_news"] == ["trail"]


def test_backfill_of_a_source_finds_what_was_left_out_however_old(run: Run, place: Place) -> None:
    place.configure('[limits]\nhorizon = "1d"\n', '[source.trail]\npath = "logs"\nsource = "azure.activity"\n')
    place.put("a.json", call(1, 0))
    assert run().code == 0
    place.configure('[limits]\nhorizon = "1d"\n')
    place.put("b.json", call(2, 60 * 24 * 12))
    assert run().code == 0
    assert len(place.alerts()) == 1
    batch, *_ = summary(run, place, "--backfill", "--source", "trail", "--to", "2026-03-02")["batches"]
    assert batch["alerts"] == {"new": 1, "changed": 0, "ended": 0}
    assert len(place.alerts()) == 2


def test_objects_are_forgotten_when_they_are_long_gone_and_not_while_they_cannot_be_listed(run: Run, place: Place) -> None:
    path = place.put("a.json", call(1, 0))
    config = load_config(place.config, {})

    def known_after(days: float) -> bool:
        work(config, lambda: datetime(2026, 4, 1, tzinfo=UTC) + timedelta(days=days))
        with place.state() as state:
            return bool(state.seen("trail", [str(path)]))

    assert known_after(0)
    place.logs.rename(place.root / "away")
    assert all(map(known_after, (2, 40, 80)))
    (place.root / "away").rename(place.logs)
    assert known_after(81)
    path.unlink()
    assert known_after(83)
    assert not known_after(115)
    place.put("a.json", call(1, 0))
    assert known_after(116)
    assert place.events().height == 1


def test_sources_are_batches_of_their_own(run: Run, place: Place) -> None:
    place.configure(sources='[source.one]\npath = "logs/one"\n[source.two]\npath = "logs/two"\n')
    place.put("one/a.json", call(1, 0))
    place.put("two/a.json", call(2, 0))
    assert [batch["source"] for batch in summary(run, place, "--source", "two")["batches"]] == ["two"]
    assert [batch["source"] for batch in summary(run, place)["batches"]] == ["one"]
    unknown = run("--source", "three")
    assert unknown.code == 2
    assert "one, two" in unknown.err


def test_bad_records_are_named_and_kept(run: Run, place: Place) -> None:
    (place.logs / "a.json").write_bytes(lines(call(1, 0)) + b'{"eventVersion": "1.08", "eventSource": broken}\n')
    ran = run()
    assert ran.code == 3
    assert "a.json" in ran.err
    assert len(place.alerts()) == 1
    rejects = place.lake().scan("rejects").collect()
    assert rejects["object"].to_list() == [str(place.logs / "a.json")]
    assert run().code == 0


def test_a_source_that_is_not_there_is_named_and_keeps_no_other_back(run: Run, place: Place) -> None:
    place.configure(sources='[source.away]\npath = "nowhere"\n[source.trail]\npath = "logs"\n')
    place.put("a.json", call(1, 0))
    ran = run()
    assert ran.code == 3
    assert "nowhere" in ran.err
    assert "does not exist" in ran.err
    assert len(place.alerts()) == 1


def test_configurations_that_cannot_be_used(run: Run, place: Place, cli: Callable[..., Ran], tmp_path: Path) -> None:
    missing = cli("run", "--config", tmp_path / "none.toml")
    assert missing.code == 2
    assert "none.toml" in missing.err
    place.config.write_text("")
    empty = run()
    assert empty.code == 2
    assert "[source.NAME]" in empty.err


def test_times_go_with_backfill(run: Run) -> None:
    ran = run("--from", "-7d")
    assert ran.code == 2
    assert "--backfill" in ran.err


def test_what_is_not_delivered_waits(run: Run, place: Place) -> None:
    place.put("a.json", call(1, 0))
    assert run("--no-deliver").code == 0
    assert place.delivered() == []
    assert run().code == 0
    assert len(place.delivered()) == 1


def test_a_sink_that_is_new_hears_of_what_stands_once(run: Run, place: Place) -> None:
    place.rules(rule(1), rule(2, "DeleteTrail", "low"))
    place.put("a.json", call(2, 5), call(3, 300), call(4, 300, "DeleteTrail"))
    assert run().code == 0
    place.put("b.json", call(1, 0))
    assert run().code == 0
    assert len(place.ended()) == 1
    settings = place.config.read_text().replace("[rules]", '[rules]\nmin_level = "medium"')
    place.config.write_text(settings + '[sink.second]\ntype = "file"\npath = "second.ndjson"\n')
    assert run().code == 0
    told = [json.loads(line) for line in (place.root / "second.ndjson").read_text().splitlines()]
    alerts = sorted(document["uid"] for document in told if document["kind"] != "incident")
    assert alerts == sorted(uid for uid, alert in place.alerts().items() if alert.level.word == "high")
    assert len(alerts) == 2
    incidents = sorted(document["uid"] for document in told if document["kind"] == "incident")
    assert incidents == sorted(uid for uid, incident in place.incidents().items() if incident.level >= Level.MEDIUM)
    assert incidents
    assert run().code == 0
    assert len((place.root / "second.ndjson").read_text().splitlines()) == len(told)


def test_stored_alerts_give_the_documents_of_scan(run: Run, cli: Callable[..., Ran], place: Place) -> None:
    place.put("a.json", call(1, 0), call(2, 5))
    place.rules(rule(1), many(1, count=2, more=", generate: true"))
    assert run().code == 0
    scanned = json.loads(
        f"[{','.join(cli('scan', place.logs, '--no-builtin', '--rules', place.root / 'rules', '--format', 'ndjson').out.splitlines())}]"
    )
    own = ("revision", "created", "updated")
    told = [{key: value for key, value in document.items() if key not in own} for document in place.delivered()]
    assert sorted(told, key=lambda each: each["uid"]) == sorted(scanned, key=lambda each: each["uid"])


def test_what_is_stored_is_the_owners_alone(run: Run, place: Place) -> None:
    place.put("a.json", call(1, 0))
    assert run().code == 0
    paths = [path for name in ("lake", "state.db", "alerts.ndjson") for path in (place.root / name, *(place.root / name).rglob("*"))]
    assert len(paths) > 8
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}


def test_runs_are_recorded(run: Run, place: Place) -> None:
    place.put("a.json", call(1, 0))
    before = datetime.now(UTC)
    assert run().code == 0
    assert run().code == 0
    with place.state() as state:
        newest, oldest = state.runs()
    assert (newest.batch, oldest.batch) == (None, 1)
    assert newest.finished >= oldest.finished >= before


def test_a_configured_lateness_moves_the_watermark(run: Run, place: Place) -> None:
    few = "\ntitle: Few\nid: 00000000-0000-4000-8000-000000000012\nlevel: high\n"
    few += "correlation: {type: event_count, rules: [rule1], group-by: [userIdentity.arn], timespan: 10m, condition: {lte: 2}}\n"
    place.rules(rule(1), few)
    place.put("a.json", call(1, 0), call(2, 60, "ListUsers"))
    patient = '[source.trail]\npath = "logs"\nsource = "aws.cloudtrail"\nlateness = "2h"\n'
    place.configure(sources=patient)
    assert run().code == 0
    assert [alert.state for alert in place.alerts().values()] == [State.OPEN]
    place.configure()
    place.put("b.json", call(3, 61, "ListUsers"))
    assert run().code == 0
    assert [alert.state for alert in place.alerts().values()] == [State.LIVE]
