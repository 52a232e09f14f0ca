"""crosswind and what it needs as one archive, for clusters whose machines do not have it: Spark unpacks it beside every executor.

The archive holds packages, no interpreter and no Spark, which a cluster has. Packages with compiled parts fit the Python and the kind of machine they
were packed on: workers need the same minor version of Python.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from engine.errors import SinkError, UsageError

OWN = ("engine", "connectors")
FOLDER = "crosswind_packages"
"""What the archive is unpacked as, in the working directory of every executor."""
_EXTRAS = ("", "spark")
_THERE = frozenset({"crosswind", "pyspark", "py4j"})
"""What is not looked up: our own files, and what every cluster has."""


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive: where it is, its size in bytes, and the packages in it as ``name version``."""

    path: Path
    size: int
    packages: tuple[str, ...]


def settings(archive: Path, given: Mapping[str, str]) -> dict[str, str]:
    """``given`` settings of Spark with those that send ``archive`` along and make the workers use it."""
    archives = [one for one in (given.get("spark.archives"), f"{archive}#{FOLDER}") if one]
    paths = [one for one in (FOLDER, given.get("spark.executorEnv.PYTHONPATH")) if one]
    return {**given, "spark.archives": ",".join(archives), "spark.executorEnv.PYTHONPATH": ":".join(paths)}


def package(out: Path) -> Packed:
    """Write the archive to ``out`` (``.tar.gz``), complete or not at all; the same packages give the same bytes.

    Raises UsageError for another name and where a package lacks its list of files, SinkError where ``out`` cannot be written.
    """
    if not out.name.endswith(".tar.gz"):
        raise UsageError(f"{out}: Spark tells archives by their names; call it {out.name.partition('.')[0] or 'crosswind'}.tar.gz")
    found = {**_own_files()}
    needed = sorted(_needed().values(), key=lambda one: one.name.lower())
    for one in needed:
        found.update(_files_of(one))
    try:
        with tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", delete=False) as file:
            partly = Path(file.name)
            with contextlib.ExitStack() as stack:
                stack.callback(partly.unlink, missing_ok=True)
                with gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
                    for name in sorted(found):
                        archive.add(found[name], name, recursive=False, filter=_plain)
                file.flush()
                partly.chmod(0o644)
                partly.replace(out)
        return Packed(out, out.stat().st_size, tuple(f"{one.name} {one.version}" for one in needed))
    except OSError as error:
        raise SinkError(f"{out}: cannot be written: {error.strerror or error}") from error


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what differs from machine to machine."""
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode = 0, 0, 0, "", "", 0o755 if entry.mode & 0o100 else 0o644
    return entry


def _own_files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name in OWN:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        found |= {f"{name}/{path.relative_to(root).as_posix()}": path for path in root.rglob("*") if path.is_file() and _wanted(path)}
    return found


def _needed() -> dict[str, metadata.Distribution]:
    """The packages that crosswind needs on a worker, and what these need, by name."""
    from packaging.requirements import Requirement

    found: dict[str, metadata.Distribution] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [("crosswind", _EXTRAS)]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            one = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise UsageError(f"the package {name} is not installed: pip install 'crosswind[spark]'") from None
        if name not in _THERE:
            found[name] = one
        for text in one.requires or ():
            asked = Requirement(text)
            wanted = re.sub(r"[-_.]+", "-", asked.name).lower()
            if wanted not in _THERE and (asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in extras)):
                waiting.append((wanted, ("", *sorted(asked.extras))))
    return found


def _files_of(one: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    if one.files is None:
        raise UsageError(f"the package {one.name} has no list of its files, so that it cannot be packed: install it with pip")
    for file in one.files:
        path = Path(str(one.locate_file(file)))
        if ".." not in file.parts and path.is_file() and _wanted(path):
            yield file.as_posix(), path


def _wanted(path: Path) -> bool:
    return path.suffix != ".pyc" and "__pycache__" not in path.parts
