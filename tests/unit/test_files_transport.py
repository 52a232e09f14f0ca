"""Where files come from, what is left out on purpose, and what comes out of them."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import random
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from connectors.transports import TRANSPORTS
from connectors.transports.base import Limits, Object
from connectors.transports.files import FilesTransport, hint
from engine.errors import TransportError
from engine.model import Reject, Skip
from tests.logs import open_folder, without_rights

DATA = b'{"n":1}\n{"n":2}\n'


def put(path: Path, data: bytes = DATA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def listed(*paths: Path | str, **options: Any) -> list[Object | Reject | Skip]:
    return list(FilesTransport([str(path) for path in paths], **options).list())


def uris(found: list[Object | Reject | Skip]) -> list[str]:
    return [item.uri for item in found if isinstance(item, Object)]


def content(path: Path, limits: Limits | None = None) -> bytes:
    transport = FilesTransport([str(path)], limits=limits or Limits())
    (obj,) = transport.list()
    assert isinstance(obj, Object)
    return b"".join(transport.read(obj))


def test_the_registry_names_the_files() -> None:
    assert {"files": FilesTransport} == TRANSPORTS


def test_a_folder_is_listed_below_in_order_of_path(tmp_path: Path) -> None:
    expected = [put(tmp_path / name) for name in ("a/b/1.json", "a/c.json", "b.gz", "z")]
    assert uris(listed(tmp_path)) == [str(path) for path in expected]


def test_arguments_keep_their_order_and_nothing_comes_twice(tmp_path: Path) -> None:
    one, two = put(tmp_path / "x" / "1"), put(tmp_path / "x" / "2")
    os.link(one, tmp_path / "x" / "hard")
    (tmp_path / "x" / "soft").symlink_to(two)
    assert uris(listed(two, tmp_path / "x", one, tmp_path)) == [str(two), str(one)]


def test_patterns_reach_any_depth(tmp_path: Path) -> None:
    put(tmp_path / "a/1.json")
    put(tmp_path / "a/b/c/2.json")
    put(tmp_path / "a/b/3.log")
    assert uris(listed(f"{tmp_path}/**/*.json")) == [f"{tmp_path}/a/1.json", f"{tmp_path}/a/b/c/2.json"]


def test_a_name_with_pattern_characters_is_taken_as_it_is(tmp_path: Path) -> None:
    path = put(tmp_path / "log[1].json")
    assert uris(listed(path)) == [str(path)]


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    found = listed(tmp_path / "missing", f"{tmp_path}/*.nothing", tmp_path / "gone")
    assert [(item.reason.split(":")[0]) for item in found if isinstance(item, Reject)] == [
        "does not exist",
        "matches no file",
        "link that leads nowhere",
    ]


def test_a_link_to_a_folder_above_ends(tmp_path: Path) -> None:
    put(tmp_path / "a/1")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    found = listed(tmp_path)
    assert uris(found) == [f"{tmp_path}/a/1"]
    assert Skip(f"{tmp_path}/a/up", "link to a folder above it") in found


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "real/1")
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "link").symlink_to(tmp_path / "real")
    assert uris(listed(tmp_path / "start")) == [f"{tmp_path}/start/link/1"]


def test_special_files_are_skipped_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        place = os.getcwd()
        os.chdir(tmp_path)
        try:
            server.bind("socket")
        finally:
            os.chdir(place)
        found = listed(tmp_path, "/dev/null")
    assert [item.reason for item in found if isinstance(item, Skip)] == [
        "is a named pipe, not a file",
        "is a socket, not a file",
        "is a device, not a file",
    ]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".DS_Store", "operating system"),
        ("__MACOSX/._1.json", "operating system"),
        ("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/01/01/x.json.gz", "digest"),
        ("AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/2026/01/01/00/data/1_input.json.gz", "Bedrock"),
        ("AWSLogs/111122223333/BedrockModelInvocationLogs/amazon-bedrock-logs-permission-check", "Bedrock"),
    ],
)
def test_files_that_hold_no_records_are_skipped_with_the_reason(tmp_path: Path, path: str, reason: str) -> None:
    put(tmp_path / path)
    (found,) = listed(tmp_path)
    assert isinstance(found, Skip)
    assert reason in found.reason


def test_an_empty_file_is_skipped(tmp_path: Path) -> None:
    put(tmp_path / "a", b"")
    assert listed(tmp_path) == [Skip(f"{tmp_path}/a", "empty file")]


def test_an_unreadable_file_is_refused() -> None:
    with open_folder() as folder:
        put(folder / "a").chmod(0)
        with without_rights():
            (found,) = listed(folder)
    assert isinstance(found, Reject)
    assert "ermission" in found.reason


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("b/AWSLogs/o-x/111122223333/CloudTrail/us-east-1/2026/01/01/f.json.gz", "aws.cloudtrail"),
        ("b/AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/2026/01/01/00/f.json.gz", "aws.bedrock_invocation"),
        ("insights-activity-logs/resourceId=/SUBSCRIPTIONS/1/y=2026/m=01/d=01/h=00/m=00/PT1H.json", "azure.activity"),
        ("insights-logs-signinlogs/tenantId=1/y=2026/m=01/d=01/h=00/m=00/PT1H.json", "entra.signin"),
        ("insights-logs-managedidentitysigninlogs/tenantId=1/PT1H.json", "entra.signin"),
        ("insights-logs-auditlogs/tenantId=1/PT1H.json", "entra.audit"),
        ("insights-logs-requestresponse/resourceId=/PT1H.json", "azure.openai"),
        ("bucket/cloudaudit.googleapis.com/activity/2026/01/01/08:00:00_08:59:59_S0.json", "gcp.audit"),
        ("some/file.json", None),
    ],
)
def test_the_path_of_a_delivery_hints_at_its_source(path: str, source: str | None) -> None:
    assert hint(path) == source


PACKS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip members": lambda data: gzip.compress(data[:5]) + gzip.compress(b"") + gzip.compress(data[5:]),
    "gzip with padding": lambda data: gzip.compress(data) + b"\0" * 100,
    "zstd": zstandard.compress,
    "zstd frames": lambda data: zstandard.compress(data[:5]) + zstandard.compress(data[5:]),
}


@pytest.mark.parametrize("data", [DATA, bytes(range(256)) * 3000], ids=["small", "large"])
@pytest.mark.parametrize("limits", [Limits(), Limits(whole_file_bytes=1, block_bytes=1000)], ids=["at once", "in steps"])
@pytest.mark.parametrize("pack", PACKS)
def test_compression_is_known_by_its_first_bytes(tmp_path: Path, pack: str, limits: Limits, data: bytes) -> None:
    assert content(put(tmp_path / "no_ending", PACKS[pack](data)), limits) == data


def test_blocks_stay_small_where_the_object_is_large(tmp_path: Path) -> None:
    limits = Limits(whole_file_bytes=1, block_bytes=10_000)
    for name, data in (("a", b"x" * 1_000_000), ("b.gz", gzip.compress(b"x" * 1_000_000))):
        transport = FilesTransport([str(put(tmp_path / name, data))], limits=limits)
        (obj,) = transport.list()
        assert isinstance(obj, Object)
        assert max(map(len, transport.read(obj))) <= 10_000


def test_members_of_a_zip_are_objects(tmp_path: Path) -> None:
    path = tmp_path / "dump.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("z/inner.json", DATA)
        archive.writestr("a.json.gz", gzip.compress(DATA))
        archive.writestr("empty", b"")
        archive.writestr("__MACOSX/._a", b"junk")
        archive.mkdir("folder")
    transport = FilesTransport([str(tmp_path)])
    found = list(transport.list())
    assert uris(found) == [f"{path}!/a.json.gz", f"{path}!/z/inner.json"]
    assert len([item for item in found if isinstance(item, Skip)]) == 2
    assert [b"".join(transport.read(item)) for item in found if isinstance(item, Object)] == [DATA, DATA]


def test_the_version_changes_with_the_content(tmp_path: Path) -> None:
    path = put(tmp_path / "a")
    (before,) = listed(path)
    path.write_bytes(DATA + DATA)
    (after,) = listed(path)
    assert isinstance(before, Object)
    assert isinstance(after, Object)
    assert (before.size, after.size) == (len(DATA), 2 * len(DATA))
    assert before.version != after.version


def test_standard_input_can_be_read_twice() -> None:
    transport = FilesTransport(["-"], stdin=io.BytesIO(gzip.compress(DATA)))
    (obj,) = transport.list()
    assert isinstance(obj, Object)
    assert obj.uri == "-"
    assert [b"".join(transport.read(obj)) for _ in range(2)] == [DATA, DATA]


def test_empty_and_missing_standard_input_are_named() -> None:
    assert listed("-", stdin=io.BytesIO()) == [Skip("-", "empty input")]
    assert listed("-") == [Reject("-", "no standard input")]


def test_a_transport_and_its_objects_travel(tmp_path: Path) -> None:
    transport = FilesTransport([str(put(tmp_path / "a"))], stdin=io.BytesIO(b""))
    (obj,) = transport.list()
    there, same = pickle.loads(pickle.dumps((transport, obj)))
    assert same == obj
    assert b"".join(there.read(same)) == DATA


@pytest.mark.parametrize("size", [0, 1, len(DATA) - 1, len(DATA) + 1, 2**32 - 1])
def test_a_gzip_file_that_lies_about_its_size_is_corrupt(tmp_path: Path, size: int) -> None:
    path = put(tmp_path / "a.gz", gzip.compress(DATA)[:-4] + size.to_bytes(4, "little"))
    with pytest.raises(TransportError, match="corrupt"):
        content(path)


@pytest.mark.parametrize("data", [b"", b"x", DATA, b"x" * (1 << 20), random.Random(1).randbytes(100_000)], ids=len)
@pytest.mark.parametrize("after", [b"", b"\0\0\0\0\0", gzip.compress(b"tail", mtime=0), gzip.compress(b"", mtime=0)], ids=len)
def test_the_size_at_the_end_of_a_gzip_file_need_not_be_that_of_the_whole(tmp_path: Path, data: bytes, after: bytes) -> None:
    expected = data + (gzip.decompress(after) if after.strip(b"\0") else b"")
    assert content(put(tmp_path / "a.gz", gzip.compress(data) + after)) == expected


def test_a_gzip_file_larger_than_one_call_may_give_comes_in_steps(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    assert content(put(tmp_path / "a.gz", gzip.compress(data)), Limits(chunk_bytes=100_000, block_bytes=50_000)) == data
