"""Columns worked out at once are those worked out row by row."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import polars as pl
import pytest

from connectors import columns as kernel
from connectors import values
from connectors.cells import FEW, plain, times, unquoted
from connectors.codes import Codes
from connectors.columns import column
from connectors.normalize import Want, normalize, understand
from connectors.sources import SOURCES, functions, load_mappings, usual_functions
from connectors.values import Then, text
from engine import jsontext
from engine.schema import ColumnRule

TEXTS = [
    "a",
    "A b",
    "/SUBSCRIPTIONS/1",
    "",
    "-",
    "null",
    " ",
    "- ",
    " a ",
    "{}",
    "É",
    "İ",
    "Σ",
    "5",
    'a"b',
    "a\\b",
    "a\tb",
    "x\u2028\x7f",
    "😀",
    "\ue000",
]
VALUES: list[object] = [None, True, False, 0, -7, 1.5, [], [1], {}, '{"b": 1, "a": 2}', '[{"a": 1}]', *TEXTS]
OBJECTS = [
    '{"b":1,"a":{"d":[],"c":"x"},"B":null}',
    '{"z":"é","é":1,"\ue000":2,"😀":3}',
    r'{"c":"\u0001\u001f\b\f\n\r\t\"\\\/\u007f","d":"12:05.5,"}',
    '{"n":1.50}',
    '{"n":[1,2e5]}',
    '{"n":-0}',
    '{"n":-0.0,"a":1}',
    '{"n":1E2}',
    '{"n":18446744073709551615}',
    '{"n":123456789012345678901234567890}',
    '{"n":[[-1e-7]]}',
    '{"a":1,"a":{"b":2}}',
    '{"t":"2026-03-01T00:00:01.5Z","a":true}',
    "{" + '"a":{' * 300 + "}" * 301,
]
CELLS = [None, *(json.dumps(value, ensure_ascii=False) for value in VALUES), *OBJECTS]


def same(name: str, source: str, cells: pl.DataFrame) -> None:
    """The id made for all rows at once is that of each row alone."""
    rule = load_mappings()[source].uid
    at_once = column(name, rule, cells, source, {}).to_list()
    alone = [column(name, rule, cells[row], source, {})[0] for row in range(cells.height)]
    assert at_once == alone


@pytest.mark.parametrize("source", [source for source in SOURCES if load_mappings()[source].uid.function in usual_functions(source)])
@pytest.mark.parametrize("seed", range(3))
def test_ids_made_at_once_are_those_made_row_by_row(source: str, seed: int) -> None:
    rng = random.Random(seed)
    paths = load_mappings()[source].uid.paths
    usual = ['"Some text"', '"2026-03-01T00:00:00.1234567Z"', '"ÄB"', '"MICROSOFT.X/WRITE"']
    rows = []
    for _ in range(FEW + 500):
        row = [None if path in ("eventDataId", "event_data_id", "split.index") else rng.choice(usual) for path in paths]
        row[-1] = rng.choice(OBJECTS) if paths[-1] == "properties" else row[-1]
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            row[rng.randrange(len(row))] = rng.choice(CELLS)
        rows.append(row)
    same("x.uid", source, pl.DataFrame(rows, schema=dict.fromkeys(paths, pl.String), orient="row"))


@pytest.mark.parametrize("source", [source for source in SOURCES if load_mappings()[source].uid.function in usual_functions(source)])
def test_usual_records_need_no_second_look(source: str) -> None:
    paths = load_mappings()[source].uid.paths
    given = {"eventDataId": None, "event_data_id": None, "split.index": None, "properties": '{"b":"1:5","a":[1,{"d":null}]}'}
    columns = {path: pl.Series(path, [given.get(path, '"Some text"')] * 3, dtype=pl.String) for path in paths}
    name = load_mappings()[source].uid.function or ""
    found = usual_functions(source)[name](*columns.values())
    plainly = functions(source)[name](*(None if cells[0] is None else jsontext.loads(cells[0]) for cells in columns.values()))
    assert isinstance(found, pl.Series)
    assert found.to_list() == [plainly] * 3


def test_a_function_that_fails_is_marked_in_rows_left_by_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(value: str) -> str:
        raise ValueError(value)

    monkeypatch.setattr(kernel, "functions", lambda _: {"f": strict})
    monkeypatch.setattr(kernel, "usual_functions", lambda _: {"f": unquoted})
    values: list[str | None] = ['"x"'] * FEW
    cells = pl.DataFrame({"a": [*values, None, r'"\""']})
    failures: dict[str, pl.Series] = {}
    made = column("api.operation", ColumnRule(paths=("a",), function="f", every=True), cells, "any", failures)
    assert made.to_list() == ["x"] * FEW + [None, None]
    assert failures["api.operation"].to_list() == [False] * FEW + [True, True]


def test_unquoted_gives_texts_without_escapes_only() -> None:
    found = unquoted(pl.Series("c", CELLS, dtype=pl.String)).to_list()
    kept = [text(json.loads(cell)) for cell, shown in zip(CELLS, found, strict=True) if cell is not None and shown is not None]
    assert kept == [shown for shown in found if shown is not None]
    assert {"a", "A b", " a ", "É", "x\u2028\x7f"} <= set(kept)
    assert not {"", "-", "null", " ", "- ", 'a"b', "a\\b", "a\tb"} & set(kept)


def test_plain_is_the_same_for_few_and_for_many() -> None:
    few = plain(pl.Series("c", CELLS, dtype=pl.String)).to_list()
    times = FEW // len(CELLS) + 1
    assert plain(pl.Series("c", CELLS * times, dtype=pl.String)).to_list() == few * times


def test_few_and_many_rows_are_numbered_alike() -> None:
    rng = random.Random(1)
    many = pl.DataFrame(
        [[rng.choice(CELLS), rng.choice(CELLS[:3]), None, rng.choice(CELLS)] for _ in range(FEW + 1)], schema=["a", "b", "c", "d"], orient="row"
    )
    many = many.cast(pl.String)
    few = many[:FEW]
    for paths in (("a",), ("c",), ("a", "b"), ("c", "a"), ("d", "c", "b", "a")):
        found, expected = Codes(many), Codes(few)
        assert found.coded(paths).codes[:FEW].tolist() == expected.coded(paths).codes.tolist()
        assert found.keys(paths)[: len(expected.keys(paths))] == expected.keys(paths)
        assert [found.keys(paths)[code] for code in found.coded(paths).codes] == many.select(paths).rows()


def test_no_rows_have_no_numbers() -> None:
    assert Codes(pl.DataFrame({"a": []}, schema={"a": pl.String})).keys(("a",)) == []


@pytest.mark.parametrize("source", SOURCES)
def test_columns_of_many_rows_are_those_of_each_row(source: str) -> None:
    mapping = load_mappings()[source]
    rng = random.Random(source)
    paths = list(dict.fromkeys(path for rule in mapping.columns.values() for path in rule.paths))
    pool = CELLS[:-1]
    rows = [[rng.choice(pool) if rng.random() < 0.4 else None for _ in paths] for _ in range(60)]
    cells = pl.DataFrame(rows * (FEW // 60 + 2), schema=dict.fromkeys(paths, pl.String), orient="row")
    codes = Codes(cells)
    for name, rule in mapping.columns.items():
        failures: dict[str, pl.Series] = {}
        made = column(name, rule, cells, source, failures, codes)
        alone = [column(name, rule, cells[row], source, {}) for row in range(60)]
        assert made.dtype == alone[0].dtype
        assert made[:60].to_list() == made[60:120].to_list() == [series.to_list()[0] for series in alone], name


def test_columns_that_share_a_first_function_share_what_it_gives_and_fail_together(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def strict(value: str) -> list[str]:
        calls.append(value)
        if value == "bad":
            raise ValueError(value)
        return [value, "b"]

    monkeypatch.setattr(kernel, "functions", lambda _: {"f": strict, "g": Then(strict, lambda found: found[:1])})
    monkeypatch.setattr(kernel, "shared_functions", lambda _: frozenset([strict]))
    cells = pl.DataFrame({"a": ['"x"', '"bad"', '"x"', None]})
    codes, failures = Codes(cells), dict[str, pl.Series]()
    made = [
        column(name, ColumnRule(("a",), f, every=True), cells, "any", failures, codes).to_list()
        for name, f in (("privileges", "f"), ("resources.uid", "g"))
    ]
    assert made == [[["x", "b"], None, ["x", "b"], ["b"]], [["x"], None, ["x"], None]]
    assert calls == ["x", "bad", None, "bad"]
    assert [failures[name].to_list() for name in ("privileges", "resources.uid")] == [[False, True, False, False]] * 2


WORDS = [
    '"-"',
    '" null"',
    '"a"',
    '"Root"',
    '"AssumedRole"',
    '"AwsConsoleSignIn"',
    '"10.1.2.3"',
    '"2001:DB8::1"',
    '"ec2.amazonaws.com"',
    '"alice@Example.com"',
]
WORDS += [
    '"arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_x/alice"',
    '"arn:aws:iam::111122223333:role/x/"',
    '"data-bucket"',
    '"a/b:cdefg"',
    '"null"',
]
PARAMETERS = [
    *(
        "null",
        "{}",
        "[]",
        '"x"',
        "5",
        '{"bucketName":"data-bucket"}',
        '{"bucketName":""}',
        '{"bucketName":"a/b"}',
        '{"bucketName":7,"keyId":"k-12345"}',
    ),
    *('{"roleName":"admins","userName":"alice"}', '{"instanceId":"i-0123","instancesSet":{"items":[{"instanceId":"i-9"}]}}', '{"x":"arn:aws:a:b"}'),
    *(
        '{"bucketName":"data-bucket","x":{"y":"arn:aws:a:b"}}',
        '{"groupName":"g\\"h"}',
        '{"keyId":"null"}',
        '{"keyId":"alias/k"}',
        '{"BucketName":"b"}',
    ),
    *(
        '{"bucketName":"a","bucketName":"data-bucket"}',
        '"{\\"bucketName\\":\\"data-bucket\\"}"',
        '{"resources":[{"ARN":"arn:aws:r"}],"keyId":"12345"}',
    ),
]


@pytest.mark.parametrize("seed", range(3))
def test_cloudtrail_columns_of_a_batch_are_those_of_each_record(seed: int) -> None:
    rng = random.Random(seed)
    mapping = load_mappings()["aws.cloudtrail"]
    records = []
    for number in range(FEW + 200):
        identity = {name: rng.choice(WORDS) for name in ("type", "arn", "userName", "principalId") if rng.random() < 0.7}
        record = {name: rng.choice(WORDS) for name in ("errorCode", "eventType", "sourceIPAddress") if rng.random() < 0.6}
        record |= {"eventTime": '"2026-03-01T00:00:00Z"', "eventName": '"PutObject"', "eventID": f'"{number}"'}
        record |= {"eventVersion": '"1.09"', "eventSource": '"s3.amazonaws.com"'}
        record |= {name: rng.choice(PARAMETERS) for name in ("requestParameters", "responseElements") if rng.random() < 0.8}
        if rng.random() < 0.1:
            record["resources"] = rng.choice(('[{"ARN":"arn:aws:s3:::z"}]', "[]", "null"))
        record["userIdentity"] = "{" + ",".join(f'"{name}":{cell}' for name, cell in identity.items()) + "}"
        records.append("{" + ",".join(f'"{name}":{cell}' for name, cell in record.items()) + "}")
    frame = pl.DataFrame({"raw_data": records, "object": "o", "position": range(len(records)), "repaired": False})
    now = datetime(2026, 3, 2, tzinfo=UTC)
    [(_, whole)] = understand(frame, {mapping.source: mapping}, {mapping.source: Want()}, now=now).parts
    alone = [normalize(frame[at : at + 100], mapping, now=now).events for at in range(0, len(records), 100)]
    # JSON columns show what the record has: of an object with a key twice, the exact reader forgets one.
    json_columns = ["api.request.data", "api.response.data"]
    assert whole.events.drop(json_columns).equals(pl.concat(alone).drop(json_columns))


def test_days_that_are_not_are_no_times() -> None:
    texts = ["2026-02-29T00:00:00Z", "2024-02-29T23:59:59Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
    texts += [
        "2026-03-01T24:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-03-00T00:00:00Z",
        "2026-03-01 00:00:00Z",
        "2026-03-01T08:20:60Z",
        "1969-12-31T23:59:59Z",
    ]
    texts += ["é26-03-01T00:00:00Z", "2026-03-01T0:000:00Z", "2026-03-01T08:20:00.5Z", "2026-03-01T08:20:00z"]
    found = times(pl.Series("t", [*texts, None, "2026-03-01T08:20:00Z"]))
    assert found.to_physical().to_list() == [*map(values.micros, texts), None, values.micros("2026-03-01T08:20:00Z")]
    assert [times(pl.Series("t", [text])).to_physical()[0] for text in texts] == list(map(values.micros, texts))
