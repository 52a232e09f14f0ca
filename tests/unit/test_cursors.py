"""What a plan takes: new, changed, appended, rotated, renamed and unfinished objects."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from connectors.batches import Input
from connectors.cursors import Planned, Seen, object_from_json, object_to_json, plan, planned_from_json, planned_to_json
from connectors.transports.base import SAMPLE_BYTES, Limits
from connectors.transports.files import FilesTransport
from tests.logs import open_folder, without_rights

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Record = tuple[str, int, str]
"""File name, position, text."""


@dataclass
class Collector:
    """Plans and reads a folder again and again, as batches do; files were written just now unless `old` says otherwise."""

    folder: Path
    rows: dict[str, Seen] = field(default_factory=dict)
    rejects: list[str] = field(default_factory=list)
    planned: Planned = field(default_factory=Planned)

    @property
    def transport(self) -> FilesTransport:
        return FilesTransport([str(self.folder)])

    def known(self, uris: Sequence[str]) -> Mapping[str, Seen]:
        return {uri: self.rows[uri] for uri in uris if uri in self.rows}

    def plan(self, now: datetime = NOW) -> Planned:
        self.planned = planned_from_json(planned_to_json(plan(self.transport.list(), self.known, self.transport, now=now)))
        return self.planned

    def read(self) -> list[Record]:
        limits = Limits()
        given = Input(self.transport, list(self.planned.objects))
        self.rejects = [reject.reason for reject in self.planned.rejects]
        found: list[Record] = []
        ends: dict[str, int] = {}
        for stream in given.streams(limits):
            for batch in stream:
                rows = batch.records.select("object", "position", "raw_data").iter_rows()
                found += [(Path(uri).name, at, text) for uri, at, text in rows]
                self.rejects += [reject.reason for reject in (*batch.failed, *batch.rejects)]
                ends |= batch.ends
        self.rows |= {row.uri: row for row in self.planned.settled(ends)}
        return found

    def collect(self, now: datetime = NOW) -> list[Record]:
        self.plan(now)
        return self.read()


@pytest.fixture
def box(tmp_path: Path) -> Collector:
    return Collector(tmp_path)


def put(path: Path, data: bytes, *, append: bool = False, age: timedelta = timedelta(0)) -> Path:
    with path.open("ab" if append else "wb") as file:
        file.write(data)
    put.moment += 1  # type: ignore[attr-defined]
    stamp = int((NOW - age).timestamp() * 1e9) + put.moment  # type: ignore[attr-defined]
    os.utime(path, ns=(stamp, stamp))
    return path


put.moment = 0  # type: ignore[attr-defined]

OLD = timedelta(hours=1)


def line(number: int) -> bytes:
    return b'{"n":%d}\n' % number


def texts(found: list[Record]) -> list[str]:
    return [text for _, _, text in found]


def test_a_new_object_is_taken_once(box: Collector) -> None:
    put(box.folder / "a.ndjson", line(1) + line(2))
    assert box.collect() == [("a.ndjson", 0, '{"n":1}'), ("a.ndjson", 1, '{"n":2}')]
    assert box.collect() == []
    assert box.planned == Planned()


def test_what_is_appended_is_taken_alone_and_counted_on(box: Collector) -> None:
    path = put(box.folder / "a.ndjson", line(1) + line(2))
    box.collect()
    put(path, line(3), append=True)
    assert box.collect() == [("a.ndjson", 2, '{"n":3}')]
    (obj,) = box.planned.objects
    assert (obj.start, obj.end, obj.first_position) == (16, 24, 2)
    assert box.rows[str(path)].records == 3


def test_refused_records_count_as_positions(box: Collector) -> None:
    path = put(box.folder / "a.ndjson", line(1) + b'{"n":\xff}\nnonsense\n' + line(2))
    assert box.collect() == [("a.ndjson", 0, '{"n":1}'), ("a.ndjson", 3, '{"n":2}')]
    put(path, b"more nonsense\n", append=True)
    box.collect()
    assert box.rejects == ["not JSON"]
    put(path, line(3), append=True)
    assert box.collect() == [("a.ndjson", 5, '{"n":3}')]


def test_a_last_line_without_its_end_waits(box: Collector) -> None:
    path = put(box.folder / "a.ndjson", line(1) + b'{"n":"\xc3')
    assert texts(box.collect()) == ['{"n":1}']
    assert [skip.reason for skip in box.planned.waiting] == ["its last record is not complete yet"]
    assert box.collect() == []
    put(path, b'\xa4"}', append=True)
    assert box.collect() == []
    assert [skip.reason for skip in box.planned.waiting] == ["its last line has no end yet"]
    put(path, b"\r\n", append=True)
    assert box.collect() == [("a.ndjson", 1, '{"n":"ä"}')]


def test_a_complete_last_line_of_a_quiet_file_is_taken(box: Collector) -> None:
    path = put(box.folder / "a.ndjson", line(1) + b'{"n":2}')
    assert texts(box.collect()) == ['{"n":1}']
    assert texts(box.collect(NOW + OLD)) == ['{"n":2}']
    assert box.collect(NOW + OLD) == []
    put(path, b"\n" + line(3), append=True)
    assert box.collect() == [("a.ndjson", 2, '{"n":3}')]


def test_half_a_record_of_a_quiet_file_is_refused_once_and_read_when_it_goes_on(box: Collector) -> None:
    path = put(box.folder / "a.ndjson", line(1) + b'{"n":')
    box.collect()
    assert box.collect(NOW + OLD) == []
    assert box.rejects == ["ends inside a record and was not written to for a while: is what writes it still running?"]
    box.collect(NOW + OLD)
    assert box.rejects == []
    put(path, b"2}\n", append=True)
    assert box.collect() == [("a.ndjson", 1, '{"n":2}')]
    assert box.rejects == []


@pytest.mark.parametrize("head", [b'{"Records":[', b"[", b'{\n  "value": [\n'])
def test_a_document_waits_until_it_is_closed(box: Collector, head: bytes) -> None:
    path = put(box.folder / "a.json", head + b'{"n":1},\n{"n":-')
    assert box.collect() == []
    put(path, b"2}\n", append=True)
    assert box.collect() == []
    put(path, b"]" if head == b"[" else b"]}", append=True)
    assert texts(box.collect()) == ['{"n":1}', '{"n":-2}']
    assert box.collect() == []


def test_a_document_that_is_never_closed_is_read_for_what_it_holds(box: Collector) -> None:
    path = put(box.folder / "a.json", b'{"Records":[{"n":1},{"n":2},{"n')
    assert box.collect() == []
    assert texts(box.collect(NOW + OLD)) == ['{"n":1}', '{"n":2}']
    assert len(box.rejects) == 1
    assert box.collect(NOW + OLD) == []
    assert box.rejects == []
    put(path, b'":3}]}', append=True)
    assert [at for _, at, _ in box.collect()] == [0, 1, 2]


def test_a_document_written_anew_with_more_in_it_is_read_again(box: Collector) -> None:
    path = put(box.folder / "PT1H.json", b'{"records":[{"n":1}]}')
    assert texts(box.collect()) == ['{"n":1}']
    put(path, b'{"records":[{"n":1},{"n":2}]}')
    assert [at for _, at, _ in box.collect()] == [0, 1]


def test_documents_over_several_lines_are_cut_between_them(box: Collector) -> None:
    pretty = json.dumps({"n": 1, "list": [{"a": 1}, {"b": [{}]}]}, indent=1).encode()
    path = put(box.folder / "a.json", pretty + b"\n" + pretty + b"\n" + pretty[:40])
    assert len(box.collect()) == 2
    put(path, pretty[40:] + b"\n", append=True)
    assert [at for _, at, _ in box.collect()] == [2]


def test_a_truncated_file_is_new(box: Collector) -> None:
    path = put(box.folder / "a.ndjson", line(1) + line(2) + line(3))
    box.collect()
    put(path, line(7))
    assert box.collect() == [("a.ndjson", 0, '{"n":7}')]


def test_a_replaced_file_is_new_although_it_is_longer(box: Collector) -> None:
    path = put(box.folder / "a.ndjson", line(1) + line(2))
    box.collect()
    put(path, line(7) + line(8) + line(9))
    assert texts(box.collect()) == ['{"n":7}', '{"n":8}', '{"n":9}']


def test_a_touched_file_holds_nothing_new(box: Collector) -> None:
    path = put(box.folder / "a.ndjson", line(1))
    box.collect()
    put(path, b"", append=True)
    assert box.collect() == []
    assert [row.uri for row in box.planned.seen] == [str(path)]
    assert box.collect() == []
    assert box.planned.seen == ()


@pytest.mark.parametrize("copied", [False, True])
def test_a_rotated_file_goes_on_under_its_new_name(box: Collector, *, copied: bool) -> None:
    path = put(box.folder / "a.log", line(1) + line(2))
    box.collect()
    put(path, line(3), append=True)
    content = path.read_bytes()
    path.unlink() if not copied else None
    put(box.folder / "a.log.1", content)
    put(path, line(4))
    assert box.collect() == [("a.log", 0, '{"n":4}'), ("a.log.1", 2, '{"n":3}')]
    assert box.collect() == []
    put(path, line(5), append=True)
    assert box.collect() == [("a.log", 1, '{"n":5}')]


def test_a_rotated_file_without_a_successor_is_read_again(box: Collector) -> None:
    """Nothing tells it from a new file; its events are known by their identity."""
    path = put(box.folder / "a.log", line(1))
    box.collect()
    path.rename(box.folder / "a.log.1")
    assert box.collect() == [("a.log.1", 0, '{"n":1}')]


def test_changes_in_long_files_are_seen_at_both_ends(box: Collector) -> None:
    data = b"".join(line(number) for number in range(40_000))
    assert len(data) > 4 * SAMPLE_BYTES
    path = put(box.folder / "a.ndjson", data)
    assert len(box.collect()) == 40_000
    put(path, line(1), append=True)
    assert box.collect() == [("a.ndjson", 40_000, '{"n":1}')]
    put(path, data[: -len(line(39_999))] + b'{"m":39999}\n' + line(1) + line(2))
    assert len(box.collect()) == 40_002


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_compressed_file_that_is_half_there_waits(box: Collector, pack: object) -> None:
    assert callable(pack)
    packed = pack(b"".join(map(line, range(2_000))))
    path = put(box.folder / "a.json.x", packed[: len(packed) // 2])
    assert box.collect() == []
    assert "cut off" in box.planned.waiting[0].reason
    put(path, packed)
    assert len(box.collect()) == 2_000
    assert box.collect() == []


def test_a_compressed_file_that_stays_half_there_is_read_for_what_it_holds(box: Collector) -> None:
    packed = gzip.compress(os.urandom(20_000).hex().encode().join((b'{"n":"', b'"}\n')) + line(1))
    path = put(box.folder / "a.json.gz", gzip.compress(line(0)) + packed[:-20])
    assert box.collect() == []
    assert len(box.collect(NOW + OLD)) >= 1
    assert "cut off" in box.rejects[0]
    assert box.collect(NOW + OLD) == []
    assert box.rejects == []
    put(path, gzip.compress(line(0) + line(5)))
    assert texts(box.collect()) == ['{"n":0}', '{"n":5}']


def test_members_of_an_archive_are_taken_once(box: Collector) -> None:
    path = box.folder / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.json", line(1) + line(2)[:-1])
        archive.writestr("two.json", gzip.compress(line(3)))
    put(path, b"", append=True)
    assert texts(box.collect()) == ['{"n":1}', '{"n":2}', '{"n":3}']
    assert box.collect() == []


def test_other_encodings_and_binary_files_wait_until_they_are_quiet(box: Collector) -> None:
    path = put(box.folder / "a.json", '{"n":1}\n{"n'.encode("utf-16"))
    put(box.folder / "b", b"PAR1\0\0\n\n")
    assert box.collect() == []
    assert [skip.reason for skip in box.planned.waiting] == ["may still grow, and cannot be read in parts"] * 2
    put(path, '{"n":1}\n'.encode("utf-16"), age=OLD)
    assert texts(box.collect()) == ['{"n":1}']


def test_a_text_that_is_no_log_is_one_skip_each_time_it_grows(box: Collector) -> None:
    path = put(box.folder / "syslog", b"Mar 1 08:00:00 host said: hello\n" * 3)
    assert box.collect() == []
    assert box.rejects == []
    put(path, b"Mar 1 08:00:01 host said: bye\n", append=True)
    assert box.collect() == []
    assert box.rejects == []


def test_the_same_plan_is_repeated_whatever_came_since(box: Collector) -> None:
    path = put(box.folder / "a.ndjson", line(1) + line(2))
    box.plan()
    put(path, line(3), append=True)
    assert texts(box.read()) == ['{"n":1}', '{"n":2}']
    assert texts(box.collect()) == ['{"n":3}']


@pytest.mark.parametrize("what", ["vanished", "cut", "replaced"])
def test_a_planned_object_that_is_no_longer_there_is_named_and_stays_open(box: Collector, what: str) -> None:
    path = put(box.folder / "a.ndjson", line(1))
    box.collect()
    put(path, line(2) + line(3), append=True)
    other = put(box.folder / "b.ndjson", line(9))
    box.plan()
    if what == "vanished":
        path.unlink()
    else:
        put(path, line(4) * (1 if what == "cut" else 5))
    assert texts(box.read()) == ['{"n":9}']
    reason = "vanished since the batch was planned" if what == "vanished" else "was replaced or cut since the batch was planned"
    assert len(box.rejects) == 1
    assert box.rejects[0].startswith(reason)
    assert box.rows[str(path)].end == 8
    assert box.rows[str(other)].end == 8
    assert texts(box.collect()) == {"vanished": [], "cut": ['{"n":4}'], "replaced": ['{"n":4}'] * 5}[what]


def test_a_planned_compressed_object_that_changed_is_named(box: Collector) -> None:
    path = put(box.folder / "a.gz", gzip.compress(line(1)))
    box.plan()
    put(path, gzip.compress(line(2)))
    assert box.read() == []
    assert "was replaced or cut" in box.rejects[0]
    assert texts(box.collect()) == ['{"n":2}']


def test_a_file_without_permission_is_named_until_it_can_be_read() -> None:
    with open_folder() as folder:
        _without_permission(Collector(folder))


def _without_permission(box: Collector) -> None:
    path = put(box.folder / "a.ndjson", line(1))
    box.plan()
    path.chmod(0)
    with without_rights():
        assert box.read() == []
        assert box.rejects == ["cannot be read: Permission denied"]
        box.collect()
        assert box.rejects == ["cannot be read: Permission denied"]
    path.chmod(0o600)
    assert texts(box.collect()) == ['{"n":1}']


def test_a_damaged_object_is_named_once(box: Collector) -> None:
    damaged = bytearray(gzip.compress(os.urandom(3_000).hex().encode()))
    damaged[200:260] = bytes(60)
    put(box.folder / "a.json.gz", bytes(damaged), age=OLD)
    box.collect()
    assert len(box.rejects) >= 1
    box.collect()
    assert box.rejects == []


def test_objects_as_json_and_back(box: Collector) -> None:
    put(box.folder / "AWSLogs_CloudTrail_ü.json", line(1))
    (obj,) = box.plan().objects
    again = object_from_json(json.loads(json.dumps(object_to_json(obj))))
    assert again == obj
    bare = replace(obj, modified=None, hint=None, end=None)
    assert object_from_json(object_to_json(bare)) == bare
    assert planned_to_json(planned_from_json(planned_to_json(box.planned))) == planned_to_json(box.planned)
