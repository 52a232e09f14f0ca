"""Rules that were loaded before, from the user's cache directory: the same `RuleSet` without reading a line of YAML or importing pySigma.

An entry is found by a digest over everything the result depends on, so nothing has to be invalidated: texts, their paths, the options, the versions
of crosswind, of the parsers and of the code. Where there is no usable directory, or an entry is damaged or somebody else's, rules are simply loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engine.errors import UsageError
from engine.sigma import stored
from engine.sigma.document import MAX_FILE_BYTES, names
from engine.sigma.ruleset import RuleSet
from engine.version import VERSION

FORMAT = 1
"""Changes with what `engine.sigma.stored` writes."""

MAX_ENTRIES = 16
MAX_BYTES = 256 * 1024 * 1024
"""What all entries together may hold; those used longest ago go first."""

_LIBRARIES = ("pysigma", "pyyaml", "polars")
_SUFFIX = ".rules"
_DIGEST = 64
"""An entry begins with the hex SHA-256 of the rest."""


def load_cached(
    sources: Sequence[str | Path],
    *,
    placeholders: Mapping[str, Sequence[str]] | None = None,
    pipelines: Sequence[str | Path] = (),
    now: datetime | None = None,
) -> RuleSet:
    """What `engine.sigma.load.load` gives for the same arguments, faster the second time. Raises what it raises."""
    found = _timeless(sources, placeholders, pipelines)
    return found if now is None else found.as_of(now)


def _timeless(sources: Sequence[str | Path], placeholders: Mapping[str, Sequence[str]] | None, pipelines: Sequence[str | Path]) -> RuleSet:
    key = _key(sources, placeholders, pipelines)
    folder = directory() if key is not None else None
    if key is None or folder is None:
        return _load(sources, placeholders, pipelines)
    entry = folder / f"{key}{_SUFFIX}"
    found = _read(entry)
    if found is None:
        found = _load(sources, placeholders, pipelines)
        if _key(sources, placeholders, pipelines) == key:  # else a file changed while it was read
            with suppress(OSError, TypeError, RecursionError, UnicodeError):
                _write(entry, stored.encode(found))
                _tidy(folder)
    return found


def directory() -> Path | None:
    """The cache directory: $CROSSWIND_CACHE, else crosswind below $XDG_CACHE_HOME or ~/.cache; None where none can be named or made."""
    chosen = os.environ.get("CROSSWIND_CACHE")
    try:
        if chosen:
            folder = Path(chosen)
        else:
            base = os.environ.get("XDG_CACHE_HOME")
            folder = (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "crosswind"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError):  # Path.home raises RuntimeError where there is no home
        return None
    return folder


def _load(sources: Sequence[str | Path], placeholders: Mapping[str, Sequence[str]] | None, pipelines: Sequence[str | Path]) -> RuleSet:
    from engine.sigma.load import load  # imports pySigma

    return load(sources, placeholders=placeholders, pipelines=pipelines)


def _key(sources: Sequence[str | Path], placeholders: Mapping[str, Sequence[str]] | None, pipelines: Sequence[str | Path]) -> str | None:
    """The digest of everything the result depends on; None where something cannot be read, which is for `load` to report."""
    digest = hashlib.sha256()
    try:
        for part in (*_surroundings(), json.dumps(placeholders and {name: list(values) for name, values in placeholders.items()}, sort_keys=True)):
            _feed(digest, part.encode())
        for given in (sources, pipelines):
            _feed(digest, str(len(given)).encode())
            for part_ in _texts(given):
                _feed(digest, part_)
    except (OSError, ValueError, TypeError, UsageError):
        return None
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, part: bytes) -> None:
    digest.update(len(part).to_bytes(8, "little"))
    digest.update(part)


def _texts(given: Sequence[str | Path]) -> Iterator[bytes]:
    """Every text with its path, each file also with what it is the same file as: a file that is reached twice counts once."""
    folders: dict[str, str] = {}
    for source in given:
        if isinstance(source, str) and "\n" in source:
            yield b"text"
            yield source.encode("utf-8", "surrogatepass")
            continue
        for path in sorted(names(Path(source))):
            about = os.lstat(path)
            folder, name = os.path.split(path)
            if folder not in folders:
                folders[folder] = os.path.realpath(folder)
            place = os.path.realpath(path) if stat.S_ISLNK(about.st_mode) else os.path.join(folders[folder], name)
            if not stat.S_ISREG(about.st_mode):
                about = os.stat(place)
                if not stat.S_ISREG(about.st_mode):
                    raise OSError("a pipe can be read only once")
            yield os.fsencode(path)
            yield os.fsencode(place)
            with open(path, "rb", buffering=0) as file:
                yield file.read(min(about.st_size or MAX_FILE_BYTES, MAX_FILE_BYTES) + 1)


@cache
def _surroundings() -> tuple[str, ...]:
    """What turns texts into rules: our code, the libraries, the interpreter."""
    code = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        _feed(code, file.name.encode())
        _feed(code, file.read_bytes())
    return (f"{FORMAT}", VERSION, sys.version, code.hexdigest(), *(f"{name} {_version(name)}" for name in _LIBRARIES))


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _read(entry: Path) -> RuleSet | None:
    """The rules of an entry; None where there is none, it is damaged, or somebody else could have written it."""
    try:
        with entry.open("rb") as file:
            about = os.fstat(file.fileno())
            if hasattr(os, "geteuid") and (about.st_uid != os.geteuid() or about.st_mode & 0o022):
                return None
            data = file.read()
        body = data[_DIGEST:]
        if data[:_DIGEST] != hashlib.sha256(body).hexdigest().encode():
            return None
        found = stored.decode(body)
    except (OSError, ValueError):
        return None
    with suppress(OSError):
        os.utime(entry)
    return found


def _write(entry: Path, body: bytes) -> None:
    """Whole or not at all, readable by the user alone (mkstemp makes it 0600)."""
    handle, name = tempfile.mkstemp(dir=entry.parent, prefix=".rules-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(body).hexdigest().encode())
            file.write(body)
        os.replace(name, entry)
    except OSError:
        with suppress(OSError):
            os.unlink(name)
        raise


def _tidy(folder: Path) -> None:
    """Remove what was used longest ago until the rest is within bounds. Another process may do the same: what is gone already is gone."""
    entries = []
    for path in folder.glob(f"*{_SUFFIX}"):
        with suppress(OSError):
            about = path.stat()
            entries.append((about.st_mtime_ns, about.st_size, path))
    held = 0
    for at, (_, size, path) in enumerate(sorted(entries, reverse=True)):
        held += size
        if at and (at >= MAX_ENTRIES or held > MAX_BYTES):
            with suppress(OSError):
                path.unlink()
