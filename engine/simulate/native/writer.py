"""Entries to files: the encodings providers deliver in. Equal entries give equal bytes on every machine."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson


def compact(value: Any) -> bytes:
    """Compact JSON."""
    return orjson.dumps(value)


def text(value: Any) -> str:
    """Compact JSON as text, for fields that hold JSON in a string."""
    return orjson.dumps(value).decode()


def lines(records: Iterable[Any]) -> bytes:
    """JSON lines, each ended by a newline."""
    return b"".join(compact(record) + b"\n" for record in records)


def gzipped(data: bytes) -> bytes:
    """Bytes compressed by gzip, without a name or time in its header."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(data)
    return buffer.getvalue()


def save(root: Path, files: Mapping[str, bytes]) -> None:
    """Write every file below ``root``; keys are relative paths with ``/``."""
    for name in sorted(files):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
