"""The sink `file`: one JSON line a state of an alert or incident, in a file that rotates by size."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from engine.documents.delivered import Layout
from engine.documents.output import json_line
from engine.errors import SinkError, TransientSinkError
from engine.sinks.base import Delivery, Outcome, SinkSettings, told
from engine.sinks.options import Options
from engine.sinks.retrying import never

_TAIL = 32 << 20
"""Lines of so many last bytes are compared with what is sent: more than one send that was written and not recorded."""
_BLOCK = 1 << 16


class FileSink:
    """Appends to ``path``; at ``max_bytes`` it becomes ``path.1``, that ``path.2``, and so on to ``keep``.

    A send is on disk (fsync) before it counts. What a killed process left is put right by the next: half a line is cut off, and states that
    were written but not recorded are not written twice.
    """

    def __init__(self, settings: SinkSettings) -> None:
        options = Options(settings)
        self.name = settings.name
        self.path = options.need("path", Path)
        self.max_bytes = options.need("max_bytes", int)
        self.keep = options.need("keep", int)
        self.layout = Layout(options.need("format", str))
        self._known: set[tuple[str, int]] | None = None

    def install(self) -> list[str]:
        """Make the folder, for its owner only."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"sink {self.name}: cannot make {self.path.parent}: {error.strerror}") from error
        return [f"folder {self.path.parent} is there"]

    def test(self) -> list[str]:
        try:
            os.close(self._open())
        except OSError as error:
            raise SinkError(f"sink {self.name}: {_why(self.path, error)}") from error
        return [f"{self.path} can be written"]

    def send(self, deliveries: Sequence[Delivery], now: datetime, stopped: Callable[[], bool] = never) -> Outcome:
        outcome = Outcome()
        try:
            handle = self._open()
            try:
                self._append(handle, deliveries, outcome)
            finally:
                os.close(handle)
        except OSError as error:
            outcome.delivered.clear()
            outcome.stopped = TransientSinkError(f"sink {self.name}: {_why(self.path, error)}")
        return outcome

    def close(self) -> None:
        self._known = None

    def _open(self) -> int:
        """The file that has the name now, locked and ending with a whole line."""
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self.path.exists() and os.path.samestat(os.stat(self.path), os.fstat(handle)):
                    _cut_half_line(handle)
                    return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)  # another process rotated it between the two steps

    def _append(self, handle: int, deliveries: Sequence[Delivery], outcome: Outcome) -> None:
        if self._known is None:
            self._known = _states(_tail(self.path.with_name(f"{self.path.name}.1"))) | _states(_tail(self.path))
        lines: list[bytes] = []
        good: list[Delivery] = []
        for each in deliveries:
            try:
                line = f"{json_line(dict(each.document))}\n".encode()
            except (TypeError, ValueError) as error:
                outcome.dead.append((each.id, told(f"the document is no JSON: {error}")))
                continue
            good.append(each)
            if (each.uid, each.revision) not in self._known:
                lines.append(line)
        size = os.fstat(handle).st_size
        if size and size + sum(map(len, lines)) > self.max_bytes:
            self._rotate(handle)
            size = 0
        try:
            _write(handle, b"".join(lines))
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
        self._known.update((each.uid, each.revision) for each in good)
        outcome.delivered.extend(each.id for each in good)

    def _rotate(self, handle: int) -> None:
        """The open file moves on; ``handle`` stands for the new one afterwards."""
        names = [self.path, *(self.path.with_name(f"{self.path.name}.{n}") for n in range(1, self.keep + 1))]
        for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
            if newer.exists():
                os.replace(newer, older)
        new = self._open()
        os.dup2(new, handle, inheritable=False)
        os.close(new)
        _sync_folder(self.path.parent)


def _write(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def _cut_half_line(handle: int) -> None:
    """Let the file end with a whole line: what stands after the last newline was never acknowledged."""
    end = size = os.fstat(handle).st_size
    while end:
        start = max(0, end - _BLOCK)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        end = start + found + 1
        if found >= 0:
            break
    if end != size:
        os.ftruncate(handle, end)


def _tail(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL))
            return stream.read().split(b"\n")
    except FileNotFoundError:
        return []


def _states(lines: list[bytes]) -> set[tuple[str, int]]:
    found = set()
    for line in lines:
        try:
            document: Any = orjson.loads(line)
            own = document.get("crosswind", {})
            inner = own.get("alert") or own.get("incident") or document
            found.add((inner["uid"], inner["revision"]))
        except (ValueError, AttributeError, KeyError, TypeError):
            continue
    return found


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _why(path: Path, error: OSError) -> str:
    if isinstance(error, BlockingIOError):
        return f"{path} is being written by another process"
    return f"cannot write {path}: {error.strerror or error}"
