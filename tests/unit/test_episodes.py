"""Which hits of a rule become one alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from engine.correlate import evidence
from engine.correlate.episodes import alert_uid, episodes, keep_first_raw, micros
from engine.errors import EngineError
from engine.sigma.folding import fold
from engine.sigma.tree import And, LogSource, Rule

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rule(uid: str = "r-1", *, level: str = "high", group_by: tuple[str, ...] | None = None, suppress: str | None = None) -> Rule:
    return Rule(uid, f"Rule {uid}", level, LogSource(), And(()), "hash", group_by=group_by, suppress=suppress)


def hits(*rows: dict[str, Any]) -> pl.DataFrame:
    """Hits with the given values; ``at`` is hours after noon; uid, object and position follow the order of the rows."""
    defaults: dict[str, Any] = {"rule": 0, "x.source": "aws.cloudtrail", "x.object": "a.json", "actor.user.uid": "arn:aws:iam::111122223333:user/eve"}
    made = []
    for index, row in enumerate(rows):
        given = {**defaults, "x.uid": f"e-{index:03}", "x.position": index, **row}
        given["time"] = NOON + timedelta(hours=given.pop("at", 0))
        made.append(given)
    schema: dict[str, Any] = dict(evidence.empty().schema)
    extra = {name: pl.List(pl.String) if isinstance(value, list) else pl.String for row in made for name, value in row.items() if name not in schema}
    return pl.DataFrame(made, schema={**schema, **extra})


def alerts_of(frame: pl.DataFrame, *rules: Rule) -> list[list[str]]:
    """The uids of each alert's hits, in order of the alerts' first hits."""
    found = episodes(frame, rules or (rule(),))
    return sorted(found.group_by("alert").agg(pl.col("x.uid"))["x.uid"].to_list())


def test_hits_merge_while_gaps_stay_within_an_hour() -> None:
    assert alerts_of(hits({"at": 0}, {"at": 1}, {"at": 2})) == [["e-000", "e-001", "e-002"]]


def test_a_gap_one_microsecond_longer_divides() -> None:
    assert alerts_of(hits({"at": 0}, {"at": 1 + 1 / 3_600_000_000})) == [["e-000"], ["e-001"]]


def test_suppress_lengthens_the_gap() -> None:
    frame = hits({"at": 0}, {"at": 5})
    assert alerts_of(frame, rule(suppress="6h")) == [["e-000", "e-001"]]
    assert alerts_of(frame, rule(suppress="4h")) == [["e-000"], ["e-001"]]


def test_a_run_of_exactly_a_day_stays_whole() -> None:
    frame = hits(*({"at": hour} for hour in range(25)))
    assert len(alerts_of(frame)) == 1


def test_a_longer_run_is_divided_at_midnight_utc() -> None:
    frame = hits(*({"at": hour} for hour in range(26)))
    first, second, third = alerts_of(frame)[0], alerts_of(frame)[1], alerts_of(frame)[2:]
    assert first == [f"e-{n:03}" for n in range(12)]
    assert second == [f"e-{n:03}" for n in range(12, 26)]
    assert third == []


def test_a_suppress_longer_than_a_day_lengthens_the_pieces() -> None:
    frame = hits(*({"at": 24 * day} for day in range(4)))
    assert len(alerts_of(frame, rule(suppress="3d"))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"actor.user.uid": "arn:aws:iam::111122223333:user/mallory"},
        {"cloud.account.uid": "444455556666"},
        {"resources.uid": ["arn:aws:s3:::other"]},
        {"rule": 1},
    ],
)
def test_actor_account_resource_and_rule_divide_hits(change: dict[str, Any]) -> None:
    base = {"cloud.account.uid": "111122223333", "resources.uid": ["arn:aws:s3:::example"]}
    assert alerts_of(hits(base, {**base, **change}), rule("r-1"), rule("r-2")) == [["e-000"], ["e-001"]]


def test_groups_compare_case_folded() -> None:
    same = hits({"actor.user.uid": "STRASSE-ΣÉ"}, {"actor.user.uid": "strasse-ςé"})
    assert len(alerts_of(same)) == 1
    assert len(alerts_of(hits({"actor.user.uid": "straße"}, {"actor.user.uid": "strasse"}))) == 2


def test_the_least_resource_counts_whatever_their_order() -> None:
    frame = hits({"resources.uid": ["b", "A"]}, {"resources.uid": ["a", "c"]}, {"resources.uid": [None, "a"]})
    assert len(alerts_of(frame)) == 1


def test_the_credential_stands_in_for_a_missing_actor_and_none_for_a_missing_part() -> None:
    frame = hits(
        {"actor.user.uid": None, "actor.user.credential_uid": "AKIAIOSFODNN7EXAMPLE"},
        {"actor.user.uid": None, "actor.user.credential_uid": "AKIAI44QH8DHBEXAMPLE"},
        {"actor.user.uid": None, "resources.uid": []},
    )
    found = episodes(frame, [rule()])
    assert sorted(found["group"].to_list()) == [
        ["akiai44qh8dhbexample", "none", "none"],
        ["akiaiosfodnn7example", "none", "none"],
        ["none", "none", "none"],
    ]


def test_values_cannot_be_shifted_between_the_parts_of_a_group() -> None:
    frame = hits({"actor.user.uid": "a1:b", "cloud.account.uid": "c"}, {"actor.user.uid": "a", "cloud.account.uid": "1:b1:c"})
    assert len(alerts_of(frame)) == 2


def test_a_rule_may_group_by_its_own_fields() -> None:
    frame = hits({"requestParameters.bucketName": "logs", "actor.user.uid": "a"}, {"requestParameters.bucketName": "Logs", "actor.user.uid": "b"})
    assert alerts_of(frame, rule(group_by=("requestParameters.bucketName",))) == [["e-000", "e-001"]]
    assert alerts_of(frame, rule(group_by=())) == [["e-000", "e-001"]]
    assert len(alerts_of(frame)) == 2


def test_a_group_field_the_hits_lack_is_an_error_and_not_another_group() -> None:
    with pytest.raises(EngineError, match=r"Rule r-1.*'nowhere'"):
        episodes(hits({}), [rule(group_by=("nowhere",))])


def test_a_second_hit_on_the_same_event_counts_once() -> None:
    frame = hits({"x.uid": "same"}, {"x.uid": "same", "x.object": "b.json"}, {"x.uid": "same", "rule": 1})
    found = episodes(frame, [rule("r-1"), rule("r-2")])
    assert found.select("rule", "x.object").rows() == [(0, "a.json"), (1, "a.json")]


def test_informational_rules_raise_no_alerts() -> None:
    assert episodes(hits({}), [rule(level="informational")]).is_empty()


def test_no_hits_give_an_empty_frame_with_all_columns() -> None:
    found = episodes(evidence.empty(), [rule()])
    assert found.is_empty()
    assert {"group", "alert", "x.uid"} <= set(found.columns)


def test_the_uid_names_rule_group_and_least_hit() -> None:
    frame = hits({"at": 0.5}, {"at": 0, "x.uid": "z"}, {"at": 0, "x.uid": "b"})
    expected = alert_uid("r-1", ("arn:aws:iam::111122223333:user/eve", "none", "none"), micros(NOON), "b")
    assert episodes(frame, [rule()])["alert"].unique().to_list() == [expected]
    assert len(expected) == 32


def test_raw_data_is_kept_only_where_it_may_be_shown() -> None:
    frame = hits({"at": 0, "raw_data": "0"}, {"at": 1, "raw_data": "1"}, {"at": 12, "raw_data": "2"}, {"at": 12.5, "raw_data": "3"})
    assert keep_first_raw(frame, [rule()])["raw_data"].to_list() == ["0", None, "2", None]
    assert keep_first_raw(frame, [rule(level="informational")])["raw_data"].to_list() == [None] * 4


def test_what_later_becomes_the_start_of_a_piece_keeps_its_raw_data() -> None:
    frame = hits(*({"at": hour, "raw_data": str(hour)} for hour in range(14)))
    assert keep_first_raw(frame, [rule()])["raw_data"].drop_nulls().to_list() == ["0", "12"]


@pytest.mark.parametrize(("one", "other"), [("ẞ", "ß"), ("K", "k"), ("ſ", "s"), ("ᾈ", "ᾀ"), ("Ꭰ", "ꭰ")])
def test_simple_folding(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_folding_never_changes_the_length() -> None:
    assert fold("İß") == "İß"
