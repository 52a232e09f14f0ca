"""Which rows of a batch hold equal cells, counted once for all columns that read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from connectors.cells import FEW, is_absent, plain

_Numbers = np.ndarray[Any, np.dtype[np.uint32]]


@dataclass(frozen=True, slots=True)
class Coded:
    """``codes``: per row the number of its combination of cells; ``keys``: per number the first row that has it."""

    codes: _Numbers
    firsts: _Numbers


class Codes:
    """The cells of a batch by path. What one column asks for is kept for the others. ``odd``: rows whose names are spelled in a way of their own."""

    def __init__(self, cells: pl.DataFrame, odd: pl.Series | None = None) -> None:
        self.cells = cells
        self.odd = odd
        self._coded: dict[tuple[str, ...], Coded] = {}
        self._keys: dict[tuple[str, ...], list[tuple[str | None, ...]]] = {}
        self._texts: dict[str, pl.Series] = {}
        self._parts: dict[bytes, Codes] = {}
        self._once: dict[Callable[..., Any], Any] = {}
        self._given: dict[tuple[Callable[..., Any], tuple[str, ...]], dict[int, Any]] = {}

    def among(self, rows: pl.Series) -> Codes:
        """The same of some rows. Columns that ask for equal rows share it."""
        key = np.packbits(rows.to_numpy()).tobytes()
        if key not in self._parts:
            self._parts[key] = Codes(self.cells.filter(rows))
        return self._parts[key]

    def text(self, path: str) -> pl.Series:
        """`plain` of the cells at ``path``."""
        if path not in self._texts:
            self._texts[path] = plain(self.cells[path])
        return self._texts[path]

    def given(self, function: Callable[..., Any], paths: Sequence[str]) -> dict[int, Any]:
        """What ``function`` gave for combinations of cells at ``paths``, by number: a place to keep it for other columns."""
        return self._given.setdefault((function, tuple(paths)), {})

    def once(self, function: Callable[..., Any], cells: Sequence[pl.Series]) -> Any:
        """What ``function`` gives for these cells, asked for once."""
        if function not in self._once:
            self._once[function] = function(*cells)
        return self._once[function]

    def coded(self, paths: Sequence[str]) -> Coded:
        """The rows by their combination of cells at ``paths``, numbered in the order in which combinations first occur."""
        paths = tuple(paths)
        if paths not in self._coded:
            self._coded[paths] = self._few(paths) if self.cells.height <= FEW else self._many(paths)
        return self._coded[paths]

    def keys(self, paths: Sequence[str]) -> list[tuple[str | None, ...]]:
        """The distinct combinations of cells, by number."""
        paths = tuple(paths)
        firsts = self.coded(paths).firsts
        if paths not in self._keys:
            self._keys[paths] = list(zip(*(self.cells[path].gather(firsts).to_list() for path in paths), strict=True))
        return self._keys[paths]

    def _few(self, paths: tuple[str, ...]) -> Coded:
        seen: dict[tuple[str | None, ...], int] = {}
        rows = list(zip(*(self.cells[path].to_list() for path in paths), strict=True))
        coded = _with_firsts(np.array([seen.setdefault(row, len(seen)) for row in rows], dtype=np.uint32))
        self._keys[paths] = list(seen)
        return coded

    def _many(self, paths: tuple[str, ...]) -> Coded:
        if len(paths) == 1:
            cells = self.cells[paths[0]]
            if is_absent(cells):
                return Coded(np.zeros(cells.len(), dtype=np.uint32), np.zeros(1, dtype=np.uint32))
            return _with_firsts(_encoded(cells.to_arrow(compat_level=pl.CompatLevel.oldest())))
        together = self.coded(paths[:1]).codes
        for path in paths[1:]:
            one = self.coded((path,))
            if len(one.firsts) > 1:
                together = _encoded(pa.array(together.astype(np.int64) * len(one.firsts) + one.codes))
        return _with_firsts(together)


def _encoded(values: pa.Array) -> _Numbers:
    found: _Numbers = values.dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.uint32)
    return found


def _with_firsts(codes: _Numbers) -> Coded:
    firsts = np.empty(int(codes.max()) + 1 if len(codes) else 0, dtype=np.uint32)
    firsts[codes[::-1]] = np.arange(len(codes), dtype=np.uint32)[::-1]
    return Coded(codes, firsts)
