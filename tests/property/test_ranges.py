"""Whatever stands in an object: its ranges, read apart, give what the whole gives."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.batches import batches, list_input
from connectors.ranges import count, cut
from connectors.transports.base import Limits, Object
from connectors.transports.files import FilesTransport
from engine.model import Reject, Skip
from engine.pipeline.far.object_ranges import divided
from engine.runners.base import Stage, never
from tests.examples import examples
from tests.sparks import FarRunner

Rows = list[tuple[int, str, bool, int]]
LIMITS = Limits()

records = st.builds(lambda number, text: {"n": number, "text": text}, st.integers(0, 3), st.text(alphabet='aä{}[],:"\\\n ', max_size=12))
odd = st.sampled_from(
    [
        b"not json", b'{"a": "cut off', b'{"a": {"b": 1}', b'{"a": 1},', b'{"Records": [{"x": 1}, {"x": 1}]}',
        b'{"records": [\n{"x": 1}\n{"y": 2}\n]}',
        b"", b"[", b'{\n  "pretty": [\n    1\n  ]\n}', b'{"a": "\xff"}', b'{"value": []}', b"{}", b"[1, 2]", b'"text"', b"\x00\x00",
        b'{"open": [{"a": 1}', b'[\n{"x": 1}\n{"y": 2}\n]', b'{"records": [\n{"x": 1},\n{"y": "}\n{"z": 3}\n]}',
    ]
)  # fmt: skip


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Lines of JSON, some of them the same, with a few that are none between them."""
    found = draw(st.lists(records, min_size=4, max_size=25))
    lines = [json.dumps(record).encode() for record in found]
    for _ in range(draw(st.integers(0, 3))):
        lines.insert(draw(st.integers(0, len(lines))), draw(odd))
    newline = draw(st.sampled_from([b"\n", b"\n", b"\r\n", b"\n\n"]))
    return newline.join(lines) + draw(st.sampled_from([b"", newline]))


def read(transport: FilesTransport, groups: list[list[tuple[int, Object]]], before: Any = None) -> tuple[Rows, list[Reject], list[Skip]]:
    rows: Rows = []
    rejects: list[Reject] = []
    skips: list[Skip] = []
    for group in groups:
        for batch in batches(transport, group, LIMITS, before=before):
            found = batch.records.select("object", "position", "raw_data", "repaired").iter_rows()
            rows += [(at, text, repaired, batch.repeats.get((uri, at), 0)) for uri, at, text, repaired in found]
            rejects += [*batch.rejects, *batch.failed]
            skips += batch.skips
    return rows, rejects, skips


def by_place(rejects: list[Reject]) -> list[tuple[int, str]]:
    return [(-1 if reject.position is None else reject.position, reject.reason) for reject in rejects]


@examples(150)
@given(data=contents(), size=st.integers(8, 200), named=st.booleans())
def test_ranges_give_what_the_whole_gives(data: bytes, size: int, named: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("log.json" if named else "log.txt")
        path.write_bytes(data)
        wanted = list_input([str(path)], LIMITS, None)
        if not wanted.objects:
            return
        tasks = divided(wanted, size, Path(folder), FarRunner(), LIMITS, never, Stage("test"))
        assert isinstance(wanted.transport, FilesTransport)
        whole = read(wanted.transport, [[(0, wanted.objects[0])]])
        rows: Rows = []
        rejects: list[Reject] = []
        skips: list[Skip] = []
        for task in tasks.tasks:
            mine = read(wanted.transport, [list(task.group)], lambda index, obj, task=task: task.remembered(Path(folder), index, obj))
            rows, rejects, skips = rows + mine[0], rejects + mine[1], skips + mine[2]
        assert rows == whole[0]
        assert sorted(by_place(rejects)) == sorted(by_place(whole[1]))
        assert skips == whole[2]


def test_plain_lines_are_divided(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(b"".join(json.dumps({"n": number}).encode() + b"\n" for number in range(1000)))
    (obj,) = list_input([str(path)], LIMITS, None).objects
    transport = FilesTransport([str(path)])
    parts = cut(transport, obj, 2000, LIMITS)
    assert len(parts) >= 5
    assert [part.start for part in parts[1:]] == [part.end for part in parts[:-1]]
    assert sum(count(transport, part, LIMITS, first=part is parts[0]).records for part in parts) == 1000


@pytest.mark.parametrize(
    "data",
    [
        b'{"Records":[' + b",\n".join(b'{"n": %d}' % number for number in range(1000)) + b"]}",
        b"\x1f\x8b" + b'{"n": 1}\n' * 1000,
        b"\xff\xfe" + ('{"n": 1}\n' * 1000).encode("utf-16-le"),
        b"[\n" + b'{"n": 1}\n' * 1000 + b"]",
    ],
)
def test_what_is_not_lines_of_objects_stays_whole(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(data)
    (obj,) = list_input([str(path)], LIMITS, None).objects
    assert cut(FilesTransport([str(path)]), obj, 500, LIMITS) == [obj]


def test_a_planned_range_is_divided_only_while_it_is_what_was_planned(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(b'{"n": 1}\n' * 1000)
    (obj,) = list_input([str(path)], LIMITS, None).objects
    transport = FilesTransport([str(path)])
    planned = replace(cut(transport, obj, 3000, LIMITS)[-1], start=0)
    assert len(cut(transport, planned, 1000, LIMITS)) > 1
    path.write_bytes(b'{"n": 2}\n' * 1000)
    assert cut(transport, planned, 1000, LIMITS) == [planned]
