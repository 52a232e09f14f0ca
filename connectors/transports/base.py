"""What every transport promises: list objects, read their bytes, within limits.

A transport knows nothing about records. It is a frozen, picklable value without open handles, so it can travel to another process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from engine.model import Reject, Skip

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on hostile input; sizes in bytes.

    ``max_ratio`` (decompressed to compressed) counts only beyond ``ratio_free_bytes`` of output, because small logs may well shrink that far.
    ``chunk_bytes`` is about how much record text is held at a time, ``whole_file_bytes`` the greatest file that is decompressed in one call.
    """

    max_record_bytes: int = 16 * _MIB
    max_depth: int = 128
    max_ratio: int = 200
    ratio_free_bytes: int = 64 * _MIB
    max_object_bytes: int = 64 * 1024 * _MIB
    chunk_bytes: int = 64 * _MIB
    block_bytes: int = 4 * _MIB
    whole_file_bytes: int = 8 * _MIB


@dataclass(frozen=True, slots=True)
class Object:
    """One thing that a transport can read.

    ``uri`` is the place as its owner knows it, ``version`` changes when the content does, ``size`` is in bytes as stored (compressed).
    ``hint`` is the source that the path suggests and nothing more: the records decide. ``locator`` is what the transport itself needs to open it.
    ``unfinished`` says why its bytes are not all there: they are read, and then it fails with that reason.
    """

    uri: str
    size: int
    version: str
    hint: str | None = None
    locator: str = ""
    member: str | None = None
    unfinished: str | None = None


class Transport(Protocol):
    """Where objects come from."""

    def list(self) -> Iterator[Object | Reject | Skip]:
        """Every object once, in a fixed order; what is left out on purpose as `Skip`, what cannot be had as `Reject`."""
        ...

    def read(self, obj: Object) -> Iterator[bytes]:
        """The decompressed bytes of ``obj`` in blocks. Raises TransportError or LimitError, after the blocks that came before the damage."""
        ...
