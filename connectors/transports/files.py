"""Files, folders, patterns, zip archives and standard input.

What a file holds is decided by its first bytes: gzip, zstd, zip or neither. Zip members are objects of their own (``dump.zip!/inner/name.json``) and
may be compressed once more.
"""

from __future__ import annotations

import atexit
import glob
import io
import os
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, BinaryIO, ClassVar, Protocol, cast

import zstandard
from isal import igzip_lib, isal_zlib

from connectors.transports.base import Limits, Object, fingerprint
from engine.errors import InputError, LimitError, TransientTransportError, TransportError
from engine.model import Reject, Skip

STDIN = "-"
_MEMBER = "!/"
_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_MIB = 1024 * 1024
_Corrupt: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # the stubs call the class an instance
_GZIP_STEP = 64 * 1024
_ZSTD_STEP = 16 * 1024  # a hostile frame unpacks a step by some 30,000 at most, so this bounds what one call may give
_ZSTD_WINDOW = 128 * _MIB
_JUNK = frozenset((".DS_Store", "Thumbs.db", "desktop.ini", ".gitignore", ".gitkeep", "__MACOSX"))
_KINDS = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))
_HINTS = tuple(
    (re.compile(pattern, re.IGNORECASE), source)
    for pattern, source in (
        (r"BedrockModelInvocationLogs", "aws.bedrock_invocation"),
        (r"/CloudTrail(-Insight)?/|_CloudTrail_", "aws.cloudtrail"),
        (r"insights-(logs-activity|activity)-?logs?", "azure.activity"),
        (r"insights-logs-\w*signinlogs", "entra.signin"),
        (r"insights-logs-(auditlogs|provisioninglogs)", "entra.audit"),
        (r"insights-logs-(riskyusers|userriskevents)", "entra.risk"),
        (r"insights-logs-(requestresponse|audit)\b", "azure.openai"),
        (r"cloudaudit\.googleapis\.com", "gcp.audit"),
    )
)
_LEFT_OUT = (
    (re.compile(r"/CloudTrail-Digest/|_CloudTrail-Digest_"), "CloudTrail digest file, holds no events"),
    (re.compile(r"BedrockModelInvocationLogs/(?:.*/)?data/"), "body of a Bedrock call that its log record points to"),
    (re.compile(r"amazon-bedrock-logs-permission-check$"), "Bedrock permission check, holds no events"),
)


class Readable(Protocol):
    """A file that can be read."""

    def read(self, size: int = ..., /) -> bytes: ...


class Peekable(Readable, Protocol):
    """A file whose first bytes can be seen without taking them."""

    def peek(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True)
class FilesTransport:
    """Objects on this machine: files, folders (with everything below), patterns with ``*`` and ``**``, and ``-`` for standard input.

    Standard input is kept in a temporary file until the process ends, so that it can be read twice.
    """

    grows: ClassVar[bool] = True
    paths: Sequence[str | os.PathLike[str]]
    limits: Limits = field(default_factory=Limits)
    stdin: BinaryIO | None = field(default=None, compare=False, repr=False)

    def __getstate__(self) -> tuple[Sequence[str | os.PathLike[str]], Limits]:
        """Streams do not travel: standard input is listed where it is."""
        return self.paths, self.limits

    def __setstate__(self, state: tuple[Sequence[str | os.PathLike[str]], Limits]) -> None:
        for name, value in zip(("paths", "limits", "stdin"), (*state, None), strict=True):
            object.__setattr__(self, name, value)

    def list(self) -> Iterator[Object | Reject | Skip]:
        """Every object once: arguments in their order, below each one sorted by path."""
        seen: set[tuple[int, int]] = set()
        for path in self.paths:
            argument = os.fspath(path)
            if argument == STDIN:
                yield self._spooled()
                continue
            places = [argument] if os.path.lexists(argument) else sorted(glob.glob(argument, recursive=True, include_hidden=True))
            if not places:
                pattern = glob.has_magic(argument)
                yield Reject(argument, "matches no file" if pattern else "does not exist")
            for place in places:
                yield from self._walk(place, seen, frozenset())

    def read(self, obj: Object) -> Iterator[bytes]:
        """Decompressed blocks of ``obj``; see `Transport.read`."""
        try:
            with open(obj.locator or obj.uri, "rb") as file:
                if obj.end is not None:
                    _check_planned(file, obj)
                if obj.prefix and obj.end is not None:
                    yield from self._range(file, obj, obj.end)
                elif obj.member is None:
                    yield from self._plain(file, obj)
                    if obj.unfinished is not None:
                        raise TransportError(f"{obj.uri}: {obj.unfinished}")
                else:
                    with zipfile.ZipFile(file) as archive, archive.open(obj.member) as inner:
                        yield from self._plain(cast(Peekable, inner), obj)
        except InputError:
            raise
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, KeyError, zlib.error, EOFError) as error:
            raise TransportError(f"{obj.uri}: the zip archive is damaged or encrypted: {error}") from error
        except OSError as error:
            raise _unavailable(obj, error) from error

    def stored(self, obj: Object, start: int, stop: int) -> bytes:
        """Bytes of the file as they are stored; see `Transport.stored`."""
        try:
            with open(obj.locator or obj.uri, "rb") as file:
                return _part(file, start, stop)
        except OSError as error:
            raise _unavailable(obj, error) from error

    # --- listing ---

    def _walk(self, path: str, seen: set[tuple[int, int]], above: frozenset[tuple[int, int]]) -> Iterator[Object | Reject | Skip]:
        try:
            status = os.stat(path)
        except OSError as error:
            loop = os.path.islink(path)
            yield Reject(path, f"{'link that leads nowhere' if loop else 'cannot be read'}: {error.strerror}")
            return
        identity = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            if identity in above:
                yield Skip(path, "link to a folder above it")
                return
            if identity in seen:
                return
            seen.add(identity)
            try:
                names = sorted(os.listdir(path))
            except OSError as error:
                yield Reject(path, f"cannot be listed: {error.strerror}")
                return
            for name in names:
                yield from self._walk(os.path.join(path, name), seen, above | {identity})
        elif identity not in seen:
            seen.add(identity)
            yield from self._file(path, status)

    def _file(self, path: str, status: os.stat_result) -> Iterator[Object | Reject | Skip]:
        if reason := _left_out(path) or next((f"is {kind}, not a file" for test, kind in _KINDS if test(status.st_mode)), None):
            yield Skip(path, reason)
            return
        if not status.st_size:
            yield Skip(path, "empty file")
            return
        version, modified = _version(status), _modified(status)
        try:
            with open(path, "rb") as file:
                if file.read(4) == _ZIP:
                    yield from self._members(path, file, version, modified)
                    return
        except OSError as error:
            yield Reject(path, f"cannot be read: {error.strerror}")
            return
        yield Object(path, status.st_size, version, hint(path), path, modified=modified)

    def _members(self, path: str, file: IO[bytes], version: str, modified: datetime | None) -> Iterator[Object | Reject | Skip]:
        try:
            infos = sorted((info for info in zipfile.ZipFile(file).infolist() if not info.is_dir()), key=lambda info: info.filename)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            yield Reject(path, f"the zip archive is damaged: {error}")
            return
        if not infos:
            yield Skip(path, "empty archive")
        previous = None
        for info in infos:
            uri = f"{path}{_MEMBER}{info.filename}"
            if info.filename == previous:
                yield Reject(uri, "stands twice in the archive; the later one counts")
                continue
            previous = info.filename
            if reason := _left_out(uri) or (None if info.file_size else "empty file"):
                yield Skip(uri, reason)
            elif info.flag_bits & 1:
                yield Reject(uri, "encrypted; unpack the archive first")
            else:
                yield Object(uri, info.compress_size, f"{version}-{info.CRC:08x}", hint(uri), path, info.filename, modified=modified)

    def _spooled(self) -> Object | Reject | Skip:
        """Standard input as an object. Ctrl-C ends it early, so that what came until then is looked at."""
        if self.stdin is None:
            return Reject(STDIN, "no standard input")
        handle, path = tempfile.mkstemp(prefix="crosswind-stdin-")
        atexit.register(_remove, path)
        unfinished = None
        with os.fdopen(handle, "wb") as file:
            try:
                while block := _arrived(self.stdin):
                    file.write(block)
            except KeyboardInterrupt:
                unfinished = "interrupted before its end; what came until then was read"
            size = file.tell()
        if not size and unfinished is not None:
            raise KeyboardInterrupt
        return Object(STDIN, size, str(size), None, path, unfinished=unfinished) if size else Skip(STDIN, "empty input")

    # --- reading ---

    def _range(self, file: BinaryIO, obj: Object, end: int) -> Iterator[bytes]:
        """The planned part of an uncompressed file, whatever was appended since."""
        guard = _Guard(obj, self.limits)
        file.seek(obj.start)
        left = end - obj.start
        while left and (block := file.read(min(left, self.limits.block_bytes))):
            left -= len(block)
            yield guard.passed(block)
        if left:
            raise TransientTransportError(f"{obj.uri}: became shorter while it was read")

    def _plain(self, file: Peekable, obj: Object) -> Iterator[bytes]:
        """Take the compression off, if there is one."""
        head = file.peek(4)[:4]
        guard = _Guard(obj, self.limits)
        if head.startswith(_GZIP):
            yield from self._gzip(file, guard)
        elif head == _ZSTD:
            yield from self._zstd(file, guard)
        else:
            while block := file.read(self.limits.block_bytes):
                yield guard.passed(block)

    def _gzip(self, file: Readable, guard: _Guard) -> Iterator[bytes]:
        """A small gzip file as one block, which is what makes splitting it cheap; any other in steps."""
        limits = self.limits
        if guard.obj.size <= limits.whole_file_bytes:
            packed, unpack = file.read(), igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            size = int.from_bytes(packed[-4:], "little") + 1  # what the file says; memory that is taken at once need not be copied while it grows
            with suppress(_Corrupt):
                block = unpack.decompress(packed, min(size, limits.ratio_free_bytes, limits.chunk_bytes))
                if unpack.eof and not unpack.unused_data:
                    yield guard.passed(block)
                    return
            file = io.BytesIO(packed)
        yield from self._gzip_steps(file, guard)

    def _gzip_steps(self, file: Readable, guard: _Guard) -> Iterator[bytes]:
        """All members of a gzip file. Steps are small, so that little of what stands before a damage is lost."""
        unpack, inside = isal_zlib.decompressobj(wbits=31), False
        packed = file.read(_GZIP_STEP)
        while packed:
            try:
                block = unpack.decompress(packed, self.limits.block_bytes)
            except _Corrupt as error:
                raise TransportError(f"{guard.obj.uri}: the gzip data is corrupt: {error}") from error
            if block:
                yield guard.passed(block)
            packed, inside = unpack.unconsumed_tail, not unpack.eof
            if unpack.eof:
                packed = unpack.unused_data.lstrip(b"\0") or file.read(_GZIP_STEP).lstrip(b"\0")
                unpack = isal_zlib.decompressobj(wbits=31)
                if packed and not packed.startswith(_GZIP[: len(packed)]):
                    raise TransportError(f"{guard.obj.uri}: something that is not gzip follows the gzip data")
            packed = packed or file.read(_GZIP_STEP)
        if inside:
            raise TransportError(f"{guard.obj.uri}: the gzip data ends too early: the file is cut off")

    def _zstd(self, file: Readable, guard: _Guard) -> Iterator[bytes]:
        """All frames of a zstd file. What a broken frame held before the damage is lost only as far as its last block."""
        unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        unpack, inside = unpacker.decompressobj(), False
        packed = file.read(_ZSTD_STEP)
        while packed:
            try:
                block = unpack.decompress(packed)
            except zstandard.ZstdError as error:
                raise TransportError(f"{guard.obj.uri}: the zstd data is corrupt: {error}") from error
            if block:
                yield guard.passed(block)
            inside = not unpack.eof
            packed = b""
            if unpack.eof:
                packed = unpack.unused_data
                unpack = unpacker.decompressobj()
            packed = packed or file.read(_ZSTD_STEP)
        if inside:
            raise TransportError(f"{guard.obj.uri}: the zstd data ends too early: the file is cut off")


@dataclass(slots=True)
class _Guard:
    """Counts what comes out of an object."""

    obj: Object
    limits: Limits
    unpacked: int = 0

    def passed(self, block: bytes) -> bytes:
        """``block``, if the limits allow it. Raises LimitError where they do not."""
        self.unpacked += len(block)
        limits = self.limits
        if self.unpacked > limits.max_object_bytes:
            raise LimitError(f"{self.obj.uri}: larger than {limits.max_object_bytes:,} bytes: split it into parts")
        if self.unpacked > limits.ratio_free_bytes and self.unpacked > limits.max_ratio * max(self.obj.size, 1):
            raise LimitError(f"{self.obj.uri}: unpacks to more than {limits.max_ratio} times its size, as a decompression bomb does; reading stopped")
        return block


def _check_planned(file: BinaryIO, obj: Object) -> None:
    """Raise TransientTransportError where ``file`` is no longer what was planned to be read of it."""
    if obj.prefix and obj.end is not None:
        same = fingerprint(lambda start, stop: _part(file, start, stop), obj.end) == obj.prefix
        file.seek(0)
    else:
        version = _version(os.fstat(file.fileno()))
        same = obj.version == version if obj.member is None else obj.version.startswith(f"{version}-")
    if not same:
        raise TransientTransportError(f"{obj.uri}: was replaced or cut since the batch was planned; the next batch takes what stands there now")


def _part(file: BinaryIO, start: int, stop: int) -> bytes:
    file.seek(start)
    return file.read(max(stop - start, 0))


def _version(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def _modified(status: os.stat_result) -> datetime | None:
    try:
        return datetime.fromtimestamp(status.st_mtime, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _unavailable(obj: Object, error: OSError) -> TransientTransportError:
    gone = isinstance(error, FileNotFoundError) and obj.end is not None
    return TransientTransportError(f"{obj.uri}: {'vanished since the batch was planned' if gone else f'cannot be read: {error.strerror or error}'}")


def hint(path: str) -> str | None:
    """The source that a path of a provider's delivery suggests, None where it says nothing."""
    return next((source for pattern, source in _HINTS if pattern.search(path)), None)


def _left_out(path: str) -> str | None:
    """Why a file of this path holds no records, None where it may."""
    for name in re.split(r"[/\\]", path):
        if name in _JUNK or name.startswith("._"):
            return "written by the operating system or an editor"
    return next((reason for pattern, reason in _LEFT_OUT if pattern.search(path)), None)


def _arrived(stream: BinaryIO) -> bytes:
    """What stands ready to be read, at most a step of it, b"" at the end: waiting for a whole step would keep what came from being seen."""
    read1 = getattr(stream, "read1", stream.read)
    return cast(bytes, read1(_MIB))


def _remove(path: str) -> None:
    with suppress(OSError):
        os.remove(path)
