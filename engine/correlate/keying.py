"""Which groups a hit can matter to, without evaluating anything: what lets parts of the hits be worked on apart.

A *unit* is a correlation, or a plain rule that raises alerts. Each group of a unit falls into one of `BINS` bins by the text of its values; a hit is
in the bins of all groups it belongs to. All hits that decide an alert of a unit are in the bin of the alert's group: for a correlation of
correlations that is the group of the outermost one, followed back through the group-by fields of the inner ones to the fields of hits. Where that
cannot be followed, the bin stands for more groups, never for fewer: two groups in one bin cost time, not correctness.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.correlate import chains, gather, groups
from engine.correlate.columns import Ints
from engine.correlate.episodes import LONGEST, merge_gap, raises_alerts
from engine.correlate.gather import Entries
from engine.correlate.satisfied import by_session
from engine.sigma.tree import Correlation, Rule

BINS = 4096
_MICROSECOND = timedelta(microseconds=1)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_NO_PAIRS = {"hit": pl.UInt32(), "unit": pl.UInt32(), "bin": pl.UInt32()}


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked of the hits of ``rules``: alerts of the rules with the indices ``plain``, and of ``correlations`` without those ``quiet`` (uids).

    ``watermarks`` and ``feeds`` are those of `correlations.correlate`. Units are numbered: correlations by their index, then rules.
    """

    rules: Sequence[Rule]
    plain: Sequence[int] = ()
    correlations: Sequence[Correlation] = ()
    quiet: frozenset[str] = frozenset()
    watermarks: Mapping[str, datetime] | None = None
    feeds: Mapping[str, frozenset[str]] | None = None

    def reaches(self) -> list[int | None]:
        """Per unit how far around an alert the hits lie that decide it, in microseconds; None where nothing limits that.

        An alert is what it is by the windows from the beginning of the piece before its own to as far as tells whether its run is divided: 2 L and a
        moment; these reach back T, and rules under ``not`` T beyond. Sessions have no longest length.
        """
        found: dict[str, int | None] = {}
        for each in self.correlations:
            inner = [found[uid] for uid in each.rules if uid in found]
            deeper = [reach for reach in inner if reach is not None]
            local = not by_session(each) and len(deeper) == len(inner)
            found[each.uid] = _reach(each.timespan) + max(deeper, default=0) if local else None
        return [*(found[each.uid] for each in self.correlations), *(_reach(merge_gap(rule)) for rule in self.rules)]


def _reach(span: timedelta) -> int:
    return (2 * (max(span, LONGEST) + span)) // _MICROSECOND + 1


@dataclass(frozen=True, slots=True)
class Keys:
    """How the groups of one correlation fall into bins: by the values at ``places`` of its group; with none, all into one."""

    seed: int
    places: tuple[int, ...]
    ways: tuple[Correlation, ...]
    direct: tuple[str, ...]
    _known: dict[str, int] = field(default_factory=dict)

    def bin_of(self, group: Sequence[str]) -> int:
        """The bin of the group with these folded values."""
        parts = [np.array([self._code(group[place])], dtype=np.uint64) for place in self.places]
        return int(_bins(self.seed, parts, 1)[0])

    def _code(self, text: str) -> int:
        return self._known.setdefault(text, zlib.crc32(text.encode()))


def keys(correlation: Correlation, by_uid: Mapping[str, Correlation]) -> Keys:
    """How the groups of ``correlation`` are told apart; ``by_uid`` has the correlations that it names."""
    places = tuple(place for place, name in enumerate(correlation.group_by) if _followed(correlation, name, by_uid))
    names = tuple(correlation.group_by[place] for place in places)
    seed = 0 if places else zlib.crc32(correlation.uid.encode())
    direct = tuple(uid for uid in correlation.rules if uid not in by_uid)
    return Keys(seed, places, tuple(_ways(correlation, names, by_uid)), direct)


def _ways(correlation: Correlation, names: Sequence[str], by_uid: Mapping[str, Correlation]) -> Iterator[Correlation]:
    """Correlations of plain rules alone that group hits as ``correlation`` groups what becomes of them by ``names``."""
    plain = tuple(uid for uid in correlation.rules if uid not in by_uid)
    if plain:
        yield replace(correlation, rules=plain, group_by=tuple(names))
    for uid in correlation.rules:
        if uid in by_uid:
            called = [_inner(correlation, name, by_uid[uid]) for name in names]
            if None not in called:  # else its alerts have no group
                yield from _ways(by_uid[uid], [name for name in called if name is not None], by_uid)


def _followed(correlation: Correlation, name: str, by_uid: Mapping[str, Correlation]) -> bool:
    """Whether the value of ``name`` is one of the hits' own wherever alerts of others have it."""
    for uid in correlation.rules:
        if uid in by_uid:
            called = correlation.field_of(name, uid)
            if called is not None and called.startswith("x.alert."):
                return False
            deeper = _inner(correlation, name, by_uid[uid])
            if deeper is not None and not _followed(by_uid[uid], deeper, by_uid):
                return False
    return True


def _inner(correlation: Correlation, name: str, inner: Correlation) -> str | None:
    """The group-by field of ``inner`` that its alerts show under ``name``."""
    called = correlation.field_of(name, inner.uid)
    return next((one for one in (f"{groups.NATIVE}{called}", called) if one in inner.group_by), None)


def pairs(hits: pl.DataFrame, work: Work) -> pl.DataFrame:
    """``hit`` (row of ``hits``), ``unit`` and ``bin``: where each hit counts, or is counted as having no group. ``hits`` as for `correlate`."""
    made = [_correlated(hits, work), _plain(hits, work)]
    return pl.concat(made).unique()


def _correlated(hits: pl.DataFrame, work: Work) -> pl.DataFrame:
    by_uid = {each.uid: each for each in work.correlations}
    plain = chains.hit_source(hits, work.rules)
    sources = {rule.uid: plain for rule in work.rules}
    alone: Ints | None = None
    made = [pl.DataFrame(schema=_NO_PAIRS)]
    for unit, each in enumerate(work.correlations):
        how = keys(each, by_uid)
        held = np.zeros(hits.height, dtype=np.bool_)
        for way in how.ways:
            entries = Entries(way, sources)
            rows = gather.grouped(entries)
            codes = [_codes(one.known)[one.codes[place]] for one, place in zip(rows.fields, rows.places, strict=True)]
            hit = entries.row[rows.entry]
            held[hit] = True
            made.append(_frame(hit, unit, _bins(how.seed, codes, len(hit))))
        direct = np.concatenate([plain.rows[uid] for uid in how.direct] or [np.zeros(0, dtype=np.int64)])
        direct = direct[~held[direct]]
        if len(direct):
            alone = _codes(hits["x.uid"]).astype(np.int64) % BINS if alone is None else alone
            made.append(_frame(direct, unit, alone[direct]))
    return pl.concat(made)


def _plain(hits: pl.DataFrame, work: Work) -> pl.DataFrame:
    alike: dict[tuple[str, ...] | None, list[int]] = {}
    present = set(hits["rule"].unique())
    for index in work.plain:
        if index in present and raises_alerts(work.rules[index]):
            alike.setdefault(work.rules[index].group_by, []).append(index)
    made = [pl.DataFrame(schema=_NO_PAIRS)]
    for group_by, members in alike.items():
        chosen = hits["rule"].is_in(members).arg_true()
        values = groups.keys(hits[chosen], group_by, work.rules[members[0]])
        codes = [_texts(values[name]) for name in values.columns]
        units = hits["rule"].gather(chosen) + len(work.correlations)
        found = pl.Series(_bins(1, codes, len(chosen))).cast(pl.UInt32())
        made.append(pl.DataFrame({"hit": chosen.cast(pl.UInt32()), "unit": units.cast(pl.UInt32()), "bin": found}))
    return pl.concat(made)


def _frame(hit: Ints, unit: int, bins: Ints) -> pl.DataFrame:
    return pl.DataFrame({"hit": hit, "unit": np.full(len(hit), unit), "bin": bins}).cast(_NO_PAIRS)  # type: ignore[arg-type]


def _codes(texts: Iterable[str]) -> npt.NDArray[np.uint64]:
    return np.fromiter((zlib.crc32(text.encode()) for text in texts), dtype=np.uint64)


def _texts(column: pl.Series) -> npt.NDArray[np.uint64]:
    """The codes of texts that are often the same."""
    known = column.unique().sort()
    codes: npt.NDArray[np.uint64] = _codes(known)[known.search_sorted(column).to_numpy()]
    return codes


def _bins(seed: int, parts: Sequence[npt.NDArray[np.uint64]], height: int) -> Ints:
    mixed = np.full(height, seed, dtype=np.uint64)
    for part in parts:
        mixed = (mixed ^ part) * _MIX
        mixed ^= mixed >> np.uint64(29)
    return (mixed % np.uint64(BINS)).astype(np.int64)
