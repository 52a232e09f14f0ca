"""Where output goes: standard output, or a file that is complete or not there at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from engine.errors import SinkError, UsageError


@contextmanager
def open_output(path: Path | None, *others: Path | None) -> Iterator[TextIO]:
    """A text stream to ``path`` (None: standard output). A file appears under its name only when the block ends well.

    ``others`` are files that will be written later: they are checked now, before any work is done. Raises UsageError where a file cannot be created,
    and SinkError where writing fails, such as on a full disk.
    """
    for other in (path, *others):
        if other is not None:
            _check(other)
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8") as stream:
            yield stream
        return
    with _beside(path) as stream:
        yield stream


@contextmanager
def _beside(path: Path) -> Iterator[TextIO]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as stream:
            yield stream
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, BrokenPipeError):
            raise
        raise SinkError(f"cannot write {path}: {error.strerror or error}") from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _check(path: Path) -> None:
    folder = path.parent
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a directory; name a file in it")
    if not folder.is_dir():
        raise UsageError(f"cannot write {path}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise UsageError(f"cannot write {path}: no permission; choose another place with -o")
