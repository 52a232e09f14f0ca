"""One damaged record, or one damaged object, never takes others with it, and is always named."""

from __future__ import annotations

import gzip
import json
import random
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from connectors.envelopes import split
from connectors.transports.base import Limits, Object
from connectors.transports.files import FilesTransport
from engine.errors import InputError, LimitError, TransportError
from engine.model import Reject

SMALL = Limits(max_record_bytes=4096, max_depth=16, chunk_bytes=1024, block_bytes=512)


def record(number: int) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventName": f"Get{number}",
        "requestParameters": {"note": 'a "quoted" },{ thing', "items": [{"key": 1}, {"key": 2}, {"key": 3}, {"key": 4}]},
        "eventID": f"id-{number}",
    }


def texts(count: int = 9) -> list[bytes]:
    return [json.dumps(record(i), separators=(",", ":")).encode() for i in range(count)]


def wrap(records: list[bytes], shape: str) -> bytes:
    if shape == "ndjson":
        return b"\n".join(records) + b"\n"
    if shape == "array":
        return b"[" + b",".join(records) + b"]"
    if shape == "pretty":
        return b"[\n  " + b",\n  ".join(records) + b"\n]\n"
    return b'{"Records":[' + b",".join(records) + b"]}"


SHAPES = ["ndjson", "array", "pretty", "records"]


def outcome(data: bytes, limits: Limits = SMALL, **options: Any) -> tuple[list[str], list[tuple[int | None, str]], list[int]]:
    """Record texts, rejects as (position, reason), positions."""
    pieces = list(split([data], "object", limits, **options))
    out = [text for piece in pieces for text in piece.records["raw_data"]]
    positions = [position for piece in pieces for position in piece.records["position"]]
    return out, [(reject.position, reject.reason) for piece in pieces for reject in piece.rejects], positions


DAMAGE = {
    "NaN": lambda t: t.replace(b'"eventID":"', b'"n":NaN,"eventID":"'),
    "trailing comma": lambda t: t[:-1] + b",}",
    "single quotes": lambda t: t.replace(b'"eventVersion"', b"'eventVersion'"),
    "NUL in a string": lambda t: t.replace(b"quoted", b"quo\x00ted"),
    "raw control character": lambda t: t.replace(b"quoted", b"quo\x07ted"),
    "bad escape": lambda t: t.replace(b"quoted", rb"quo\xted"),
    "missing quote": lambda t: t.replace(b'"eventID":"', b'"eventID":'),
    "missing closing brace": lambda t: t[:-1],
    "missing inner brace": lambda t: t.replace(b"4}]}", b"4}]"),
    "extra closing brace": lambda t: t + b"}",
    "swapped bracket": lambda t: t[:-1] + b"]",
    "deep nesting": lambda t: t.replace(b'"1.08"', b"[" * 200 + b"]" * 200),
    "extreme nesting": lambda t: t.replace(b'"1.08"', b"[" * 100_000 + b"]" * 100_000),
    "too long": lambda t: t.replace(b"quoted", b"x" * 5000),
    "missing value": lambda t: t.replace(b'"1.08"', b""),
    "cut in half": lambda t: t[: len(t) // 2],
}


@pytest.mark.parametrize("limits", [SMALL, Limits(max_record_bytes=4096, max_depth=16)], ids=["small chunks", "one chunk"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_one_broken_record_is_refused_alone(shape: str, damage: str, limits: Limits) -> None:
    for victim in (0, 4, 8):
        records = texts()
        records[victim] = DAMAGE[damage](records[victim])
        out, rejects, positions = outcome(wrap(records, shape), limits)
        good = [text.decode() for i, text in enumerate(texts()) if i != victim]
        assert out == good, (victim, rejects)
        assert [position for position, _ in rejects if position is not None] == [victim]
        assert positions == [i for i in range(9) if i != victim]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("damage", [b"quo\xffted", rb"quo\ud800ted", rb"quo\udc00ted", rb"quo\ud800\u0041ted", b"quo\xed\xa0\x80ted"])
def test_text_that_is_no_character_is_mended_and_flagged(shape: str, damage: bytes) -> None:
    records = texts()
    records[4] = records[4].replace(b"quoted", damage)
    pieces = list(split([wrap(records, shape)], "object", SMALL))
    assert not any(piece.rejects for piece in pieces)
    rows = [row for piece in pieces for row in piece.records.iter_rows(named=True)]
    assert [row["position"] for row in rows if row["repaired"]] == [4]
    assert "\ufffd" in json.loads(rows[4]["raw_data"])["requestParameters"]["note"]
    assert [json.loads(row["raw_data"])["eventID"] for row in rows] == [f"id-{i}" for i in range(9)]


def test_a_surrogate_pair_and_an_escaped_backslash_are_left_alone() -> None:
    text = rb'{"a":"\ud83d\ude00 \\ud800"}'
    assert outcome(text)[0] == [text.decode()]
    lone = outcome(rb'{"a":"\\ud800 \ud800"}')[0]
    assert lone == [r'{"a":"\\ud800 \ufffd"}']


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cut_object_gives_what_came_before_the_cut(shape: str) -> None:
    whole = wrap(texts(), shape)
    cut = whole[: whole.index(b"id-7")]
    out, rejects, _ = outcome(cut)
    assert out == [text.decode() for text in texts(7)]
    assert [position for position, _ in rejects] == [7]
    assert "cut off" in rejects[0][1]


@pytest.mark.parametrize("shape", ["array", "pretty", "records"])
def test_a_list_cut_between_two_records_is_reported(shape: str) -> None:
    whole = wrap(texts(), shape)
    out, rejects, _ = outcome(whole[: whole.index(b'{"eventVersion":"1.08","eventName":"Get5"')])
    assert len(out) == 5
    assert [position for position, _ in rejects] == [None]


def test_lines_that_are_no_json_are_refused_one_by_one() -> None:
    lines = [b'{"a":1}', b"hello", b"", b"5", b'"text"', b"null", b'{"a":2}', b"\x00\x00\x00", b'{"a":3}']
    out, rejects, positions = outcome(b"\n".join(lines))
    assert out == ['{"a":1}', '{"a":2}', '{"a":3}']
    assert positions == [0, 5, 7]
    assert [position for position, _ in rejects] == [1, 2, 3, 4, 6]


@pytest.mark.parametrize("data", [b"PAR1\x00{}PAR1", b"a,b,c\n1,2,3\n" * 20_000, b"BZh91AY", bytes(range(1, 9)) * 9000, b"plain text"])
def test_an_object_that_is_no_json_is_refused_once(data: bytes) -> None:
    out, rejects, _ = outcome(data, Limits())
    assert out == []
    assert [position for position, _ in rejects] == [None]
    assert "cannot be read" in rejects[0][1]


def test_a_record_larger_than_memory_allows_is_refused_alone() -> None:
    def blocks() -> Iterator[bytes]:
        yield b'[{"a":1},{"a":"'
        for _ in range(50):
            yield b"x" * (1024 * 1024)
        yield b'"},{"a":2}]'

    limits = Limits(max_record_bytes=1024 * 1024, chunk_bytes=1024 * 1024)
    pieces = list(split(blocks(), "object", limits))
    assert [text for piece in pieces for text in piece.records["raw_data"]] == ['{"a":1}', '{"a":2}']
    assert [(reject.position, "long" in reject.reason) for piece in pieces for reject in piece.rejects] == [(1, True)]


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_extreme_nesting_ends_soon(data: bytes) -> None:
    start = time.monotonic()
    out, rejects, _ = outcome(data, Limits())
    assert (out, len(rejects)) == ([], 1)
    assert time.monotonic() - start < 5


def test_many_broken_records_take_no_quadratic_time() -> None:
    good = texts(2)
    records = [good[i % 2] if i % 3 else good[i % 2].replace(b'"eventID":"', b'"eventID":') for i in range(1500)]
    for shape in SHAPES:
        start = time.monotonic()
        out, rejects, _ = outcome(wrap(records, shape), Limits())
        assert (len(out), len(rejects)) == (1000, 500)
        assert time.monotonic() - start < 10


def test_large_numbers_and_equal_keys_are_valid() -> None:
    text = '{"a":123456789012345678901234567890,"a":1e400,"b":-0.0}'
    assert outcome(text.encode())[0] == [text]


# --- objects ---


def only(path: Path, limits: Limits | None = None) -> tuple[FilesTransport, Object]:
    transport = FilesTransport([str(path)], limits=limits or Limits())
    found = list(transport.list())
    assert len(found) == 1
    assert isinstance(found[0], Object)
    return transport, found[0]


def drain(transport: FilesTransport, obj: Object) -> tuple[int, InputError | None]:
    """Records that came out, and what ended the object."""
    count = 0
    try:
        for piece in split(transport.read(obj), obj.uri, Limits()):
            count += piece.records.height
    except InputError as error:
        return count, error
    return count, None


def many() -> bytes:
    noise = random.Random(7)
    return b"".join(b'{"n":%d,"x":"%s"}\n' % (i, noise.randbytes(40).hex().encode()) for i in range(20_000))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_truncated_file_gives_its_records_and_an_error(tmp_path: Path, pack: Any) -> None:
    packed = pack(many())
    path = tmp_path / "log.json"
    path.write_bytes(packed[: len(packed) // 2])
    count, error = drain(*only(path))
    assert 5_000 < count < 15_000
    assert isinstance(error, TransportError)
    assert str(path) in str(error)
    assert "cut off" in str(error)


@pytest.mark.parametrize("limits", [Limits(), Limits(whole_file_bytes=10, block_bytes=4096)], ids=["at once", "streamed"])
def test_a_corrupt_gzip_is_an_error_even_when_its_start_was_read(tmp_path: Path, limits: Limits) -> None:
    packed = bytearray(gzip.compress(many()))
    packed[len(packed) // 2] ^= 0xFF
    packed[len(packed) // 2 + 1] ^= 0xFF
    path = tmp_path / "log.gz"
    path.write_bytes(packed)
    count, error = drain(*only(path, limits))
    assert 5_000 < count < 15_000
    assert isinstance(error, TransportError)
    assert "corrupt" in str(error)


def test_a_decompression_bomb_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\n" * 40_000_000))
    transport, obj = only(path, Limits(ratio_free_bytes=1_000_000, block_bytes=100_000))
    blocks: list[int] = []
    with pytest.raises(LimitError, match="bomb"):
        blocks.extend(map(len, transport.read(obj)))
    assert sum(blocks) < 20_000_000


def test_a_bomb_inside_a_zip_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b" " * 30_000_000)
    transport, obj = only(path, Limits(ratio_free_bytes=1_000_000, block_bytes=100_000))
    with pytest.raises(LimitError, match="bomb"):
        list(transport.read(obj))


def test_an_object_beyond_the_size_limit_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"a":1}\n' * 1000)
    transport, obj = only(path, Limits(max_object_bytes=5000, block_bytes=1000))
    with pytest.raises(LimitError, match="larger than"):
        list(transport.read(obj))


def test_a_damaged_zip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dump.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", many())
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    found = list(FilesTransport([str(path)]).list())
    assert isinstance(found[0], Reject)
    assert "damaged" in found[0].reason
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF
    path.write_bytes(broken)
    _, error = drain(*only(path))
    assert isinstance(error, TransportError)


def test_a_file_that_vanished_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"{}")
    transport, obj = only(path)
    path.unlink()
    with pytest.raises(TransportError, match="cannot be read"):
        list(transport.read(obj))
