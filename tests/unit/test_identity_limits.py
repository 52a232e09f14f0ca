"""Bad evidence about identities: bounded, and never a wrong principal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from inspect import signature
from typing import Any

import polars as pl
import pytest

from connectors import identities
from connectors.values import Then
from engine.identity.actors import principals
from engine.identity.chain import LISTED, account, named
from engine.identity.edges import EDGES, described, together
from engine.identity.resolve import CHOICES, DEPTH, SKEW, resolve

BEGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
Row = tuple[str, str, str, int, int | None]
"""Kind, child, parent, minutes after `BEGIN`, minutes until the end."""


def edges(*rows: Row) -> pl.DataFrame:
    made = [
        (kind, child, parent, BEGIN + timedelta(minutes=at), None if end is None else BEGIN + timedelta(minutes=end), "aws.cloudtrail", f"e{number}")
        for number, (kind, child, parent, at, end) in enumerate(rows)
    ]
    names = ("kind", "child", "parent", "time", "until", "source", "event_uid")
    return together([described(pl.DataFrame(made, schema={name: EDGES[name] for name in names}, orient="row"))])


def origin(known: pl.DataFrame, entity: str, minute: float = 10) -> tuple[str, str, bool]:
    asked = pl.DataFrame({"entity": [entity], "time": [BEGIN + timedelta(minutes=minute)]})
    found: tuple[str, str, bool] = resolve(asked, known).select("principal", "strength", "contested").row(0)
    return found


def test_a_session_cannot_act_before_it_began_or_after_it_ended() -> None:
    known = edges(("assumed_role", "aws.session:A:x", "email:ana@example.com", 0, 60))
    assert [origin(known, "aws.session:A:x", minute)[0] for minute in (-10, 0, 60, 61)] == [
        *("aws.session:A:x", "email:ana@example.com", "email:ana@example.com", "aws.session:A:x"),
    ]


def test_clocks_may_differ_a_little() -> None:
    known = edges(("assumed_role", "aws.session:A:x", "email:ana@example.com", 0, 60))
    inside, outside = -SKEW / timedelta(minutes=1), -SKEW / timedelta(minutes=1) - 1
    assert origin(known, "aws.session:A:x", inside)[0] == "email:ana@example.com"
    assert origin(known, "aws.session:A:x", outside)[0] == "aws.session:A:x"


def test_one_session_name_of_two_people_is_nobody() -> None:
    one = ("assumed_role", "aws.session:A:x", "email:ana@example.com", 0, 60)
    two = ("assumed_role", "aws.session:A:x", "email:bo@example.com", 5, 60)
    assert origin(edges(one, two), "aws.session:A:x") == ("aws.session:A:x", "strong", True)
    assert origin(edges(one, two), "aws.session:A:x", 4) == ("email:ana@example.com", "strong", False)
    same = edges(one, ("assumed_role", "aws.session:A:x", "aws.key:K", 5, 60), ("issued_key", "aws.key:K", "email:ana@example.com", 1, 60))
    assert origin(same, "aws.session:A:x") == ("email:ana@example.com", "strong", False)


def test_one_address_in_two_tenants_is_nobody_but_its_federated_subject_is() -> None:
    subject = "saml.subject:https://sts.windows.net/t|ana@example.com"
    oids = [f"entra.object:{letter * 8}-0000-4000-8000-000000000000" for letter in "ab"]
    known = edges(
        ("user_name", "email:ana@example.com", oids[0], 0, None),
        ("user_name", "email:ana@example.com", oids[1], 0, None),
        ("federated_subject", subject, oids[1], 0, None),
        ("email_subject", subject, "email:ana@example.com", 0, None),
    )
    assert origin(known, "email:ana@example.com") == ("email:ana@example.com", "strong", True)
    assert origin(known, subject) == (oids[1], "strong", False)


def test_circles_end() -> None:
    ring = [("acts_as", f"aws.key:K{number}", f"aws.key:K{(number + 1) % 5}", 0, None) for number in range(5)]
    assert origin(edges(*ring), "aws.key:K0")[0] == "aws.key:K4"
    assert origin(edges(("acts_as", "aws.key:K", "aws.key:K", 0, None)), "aws.key:K")[0] == "aws.key:K"


def test_chains_are_followed_so_far_and_no_further() -> None:
    chain = [("issued_key", f"aws.key:K{number}", f"aws.key:K{number + 1}", -number, None) for number in range(DEPTH * 2)]
    assert origin(edges(*chain), "aws.key:K0")[0] == f"aws.key:K{DEPTH}"


@pytest.mark.parametrize(("issuers", "known"), [(CHOICES, True), (CHOICES + 1, False)])
def test_storms_are_contested(issuers: int, known: bool) -> None:
    storm = [("assumed_role", "aws.session:A:x", f"aws.key:K{number}", 0, 60) for number in range(issuers)]
    calm = [("issued_key", f"aws.key:K{number}", "email:ana@example.com", 0, 60) for number in range(issuers)]
    assert origin(edges(*storm, *calm), "aws.session:A:x") == (
        ("email:ana@example.com", "strong", False) if known else ("aws.session:A:x", "strong", True)
    )


def test_a_key_of_ten_thousand_sessions_is_told_in_part() -> None:
    known = edges(*(("issued_key", f"aws.key:K{number}", "aws.key:ROOT", number, None) for number in range(10_000)))
    found = account("aws.key:ROOT", known)
    assert (len(found.made), found.made_count) == (LISTED, 10_000)


def test_masked_and_foreign_texts_are_nobody() -> None:
    known = edges(
        ("issued_key", "aws.key:AKIA****************", "aws.key:B", 0, None),
        ("user_name", "email:nobody", "aws.key:B", 0, None),
        ("acts_as", "no type", "aws.key:B", 0, None),
    )
    assert known.is_empty()


def test_identifiers_of_any_length_are_joined_and_found() -> None:
    long = "r-" + "x" * 10_000
    known = edges(("request_of", f"request:aws|{long}", "aws.key:K", 0, None))
    (name,) = named(long, known)
    assert account(name, known).principal == "aws.key:K"
    assert known["child"].str.len_bytes().max() < 1_000  # type: ignore[operator]


HOSTILE: tuple[Any, ...] = (
    None,
    5,
    True,
    [],
    {},
    "",
    "x" * 20_000,
    "\x00",
    "@",
    "#EXT#",
    "a_b#EXT#@",
    {"type": 5, "arn": []},
    [{"x": 1}],
    "[",
    '{"a": [}',
)


@pytest.mark.parametrize("name", sorted(identities.FUNCTIONS))
def test_functions_take_anything(name: str) -> None:
    function = identities.FUNCTIONS[name]
    takes = signature(function.first if isinstance(function, Then) else function)
    for count in (1, 2, 3, 4):
        for value in HOSTILE:
            try:
                takes.bind(*[value] * count)
            except TypeError:
                continue
            found = function(*[value] * count)
            assert found is None or isinstance(found, (str, int))


def test_events_that_name_nobody_have_no_principal() -> None:
    events = pl.DataFrame(
        {"x.source": ["s", "s", "t"], "time": [BEGIN] * 3, "key": ["K", None, "K"], "arn": [None, None, "K"]},
        schema={"x.source": pl.String, "time": EDGES["time"], "key": pl.String, "arn": pl.String},
    )
    by_source = {"s": (("aws.key:", "key"), ("aws.arn:", "arn"))}
    found = principals(events, by_source, edges())
    assert found.select("row", "principal").rows() == [(0, "aws.key:K")]
