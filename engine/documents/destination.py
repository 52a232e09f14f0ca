"""Where output goes: standard output, or a file that is complete or not there at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from engine.errors import SinkError, UsageError


def check_outputs(**paths: Path | None) -> None:
    """Find out before any work is done whether files can be written; ``paths`` by option name. Raises UsageError."""
    for option, path in paths.items():
        if path is not None:
            _check(path, "-o" if option == "output" else f"--{option}")


@contextmanager
def open_output(path: Path | None, *, private: bool = False) -> Iterator[TextIO]:
    """A text stream to ``path`` (None: standard output). A file appears under its name only when the block ends well, readable by its owner alone
    where it is ``private``.

    Raises SinkError where writing fails, such as on a full disk or because the reader of a pipe went away.
    """
    try:
        if path is None:
            yield sys.stdout
            sys.stdout.flush()
        elif path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8") as stream:
                yield stream
        else:
            with _beside(path, private) as stream:
                yield stream
    except BrokenPipeError as error:
        silence()
        raise SinkError("whoever read the output went away before all of it was written") from error
    except OSError as error:
        silence()
        raise SinkError(f"cannot write {path or 'to standard output'}: {error.strerror or error}") from error


def silence() -> None:
    """Let what is still buffered for a standard output that nobody reads any more go nowhere, instead of failing once more at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _beside(path: Path, private: bool) -> Iterator[TextIO]:
    """A stream to a new file next to ``path`` that takes its place in the end, and is gone where the block does not end well."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as stream:
            yield stream
        if not private:  # as it was made
            os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _check(path: Path, option: str) -> None:
    folder = path.parent
    special = path.exists() and not path.is_file()
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a directory; name a file in it with {option}")
    if not folder.is_dir():
        raise UsageError(f"cannot write {path}: the folder {folder} does not exist; make it or choose another with {option}")
    if not (special or os.access(folder, os.W_OK)) or (path.exists() and not os.access(path, os.W_OK)):
        raise UsageError(f"cannot write {path}: no permission; choose another place with {option}")
