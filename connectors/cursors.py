"""What to read now: new objects, changed ones, and what was appended to those that grow.

A plan is a value: the exact objects with their versions or byte ranges, and the rows of state that hold once they were read. Nothing is remembered
here; `known` says what was taken before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from connectors.growth import Taken, take
from connectors.transports.base import Object, Transport, fingerprint
from engine.errors import InputError, TransportError
from engine.model import Reject, Skip

QUIET = timedelta(minutes=15)
"""An object that was not written to for so long is finished, whatever it ends with."""

_ASK = 500
"""Rows of state are asked for in groups of so many objects."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was taken of an object: the stored bytes before ``end``, which hold ``records`` records.

    ``version`` and ``size`` are those of the object then, ``prefix`` is the `fingerprint` of what was taken, "" for objects that are only ever read
    as a whole. ``tail`` is the version whose unfinished rest was named as a reject, so that it is named once.
    """

    uri: str
    version: str
    size: int
    end: int
    prefix: str = ""
    tail: str = ""
    records: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """What a batch reads, and the rows to write when it is done (`settled`). ``waiting``: objects whose rest may still grow, with the reason."""

    objects: tuple[Object, ...] = ()
    seen: tuple[Seen, ...] = ()
    skips: tuple[Skip, ...] = ()
    rejects: tuple[Reject, ...] = ()
    waiting: tuple[Skip, ...] = ()

    def settled(self, ends: Mapping[str, int]) -> tuple[Seen, ...]:
        """The rows that hold after the objects were read. ``ends`` are the records each holds up to there, as `Batch.ends` counts them.

        An object that is missing there could not be had; its row stays as it was, so that the next plan has it again.
        """
        planned = {obj.uri for obj in self.objects}
        rows = (replace(row, records=ends.get(row.uri, row.records)) for row in self.seen)
        return tuple(row for row in rows if row.uri not in planned or row.uri in ends)


def plan(
    listing: Iterable[Object | Skip | Reject],
    known: Callable[[Sequence[str]], Mapping[str, Seen]],
    transport: Transport,
    *,
    now: datetime,
    quiet: timedelta = QUIET,
) -> Planned:
    """What is new in ``listing`` to one who knows ``known``: whole objects, and what was appended to objects that grow."""
    planner = _Planner(transport, now - quiet)
    items = iter(listing)
    while group := list(islice(items, _ASK)):
        objects = [item for item in group if isinstance(item, Object)]
        planner.skips.extend(item for item in group if isinstance(item, Skip))
        planner.rejects.extend(item for item in group if isinstance(item, Reject))
        rows = known([obj.uri for obj in objects]) if objects else {}
        for obj in objects:
            planner.consider(obj, rows.get(obj.uri))
    return planner.done()


@dataclass
class _Planner:
    """Considers objects one by one; those never seen before come last, because one of them may be a known one under a new name."""

    transport: Transport
    quiet_since: datetime
    chosen: list[tuple[int, Object]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    waiting: list[Skip] = field(default_factory=list)
    fresh: list[tuple[int, Object]] = field(default_factory=list)
    moved: list[Seen] = field(default_factory=list)
    count: int = 0

    def consider(self, obj: Object, row: Seen | None) -> None:
        self.count += 1
        if row is None:
            self.fresh.append((self.count, obj))
        elif row.version != obj.version or (row.end < obj.size and row.tail != obj.version):
            self._guarded(self.count, obj, row)

    def done(self) -> Planned:
        for place, obj in self.fresh:
            self._guarded(place, obj, None)
        objects = tuple(obj for _, obj in sorted(self.chosen, key=lambda pair: pair[0]))
        return Planned(objects, tuple(self.seen), tuple(self.skips), tuple(self.rejects), tuple(self.waiting))

    def _guarded(self, place: int, obj: Object, row: Seen | None) -> None:
        try:
            self._look(place, obj, row)
        except InputError as error:
            self.rejects.append(Reject(obj.uri, str(error).removeprefix(f"{obj.uri}: ")))

    def _look(self, place: int, obj: Object, row: Seen | None) -> None:
        """Decide what of ``obj`` is to be read. Raises TransportError where its bytes cannot be had."""
        ranges = self.transport.grows and obj.member is None and obj.unfinished is None and readable_in_parts(self._head(obj))
        if not ranges:
            self._whole(place, obj)
            return
        row = self._continued(obj, row)
        start = row.end if row is not None else 0
        found = take(lambda begin, stop: self.transport.stored(obj, begin, stop), start, obj.size, quiet=self._is_quiet(obj))
        self._part(place, obj, row, found)

    def _part(self, place: int, obj: Object, row: Seen | None, found: Taken) -> None:
        start, records = (row.end, row.records) if row is not None else (0, 0)
        prefix = fingerprint(lambda begin, stop: self.transport.stored(obj, begin, stop), found.end)
        refused = found.refused is not None
        if found.end > start:
            self.chosen.append((place, replace(obj, start=start, end=found.end, prefix=prefix, first_position=records)))
        end = 0 if found.provisional else found.end
        tail = obj.version if refused or found.provisional else ""
        renamed = row is not None and row.uri != obj.uri
        if found.end > start or refused or renamed or (row is not None and end == obj.size):
            prefix = prefix if end == found.end else ""
            self.seen.append(Seen(obj.uri, obj.version, obj.size, end, prefix, tail, records))
        if found.refused is not None:
            self.rejects.append(Reject(obj.uri, found.refused))
        elif found.waits is not None:
            self.waiting.append(Skip(obj.uri, found.waits))

    def _continued(self, obj: Object, row: Seen | None) -> Seen | None:
        """The row that ``obj`` goes on from: its own, or that of a file that is now called so; None where it is to be read from its beginning."""
        if row is not None:
            if row.end <= obj.size and (not row.end or self._fingerprint(obj, row.end) == row.prefix):
                return row if row.end else None
            if row.prefix and row.end:
                self.moved.append(row)
            return None
        found = next((row for row in self.moved if row.end <= obj.size and self._fingerprint(obj, row.end) == row.prefix), None)
        if found is not None:
            self.moved.remove(found)
        return found

    def _whole(self, place: int, obj: Object) -> None:
        """An object that is read from its beginning to its end or not at all."""
        if self.transport.grows and obj.member is None and not self._is_quiet(obj) and (reason := self._cut_off(obj)) is not None:
            self.waiting.append(Skip(obj.uri, reason))
            return
        self.chosen.append((place, replace(obj, end=obj.size)))
        self.seen.append(Seen(obj.uri, obj.version, obj.size, obj.size))

    def _cut_off(self, obj: Object) -> str | None:
        """Why an object may still be in the making: its compression does not end, or it cannot be told."""
        if not self._head(obj).startswith(_COMPRESSED):
            return "may still grow, and cannot be read in parts"
        try:
            for _ in self.transport.read(obj):
                pass
        except TransportError as error:
            if error.transient:
                raise
            return str(error).removeprefix(f"{obj.uri}: ")
        except InputError:
            return None
        return None

    def _head(self, obj: Object) -> bytes:
        return self.transport.stored(obj, 0, 64)

    def _fingerprint(self, obj: Object, end: int) -> str:
        return fingerprint(lambda begin, stop: self.transport.stored(obj, begin, stop), end)

    def _is_quiet(self, obj: Object) -> bool:
        return obj.modified is None or obj.modified <= self.quiet_since


_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


def readable_in_parts(head: bytes) -> bool:
    """Whether an object that begins so is text in UTF-8: neither compressed nor UTF-16 nor binary, which cannot be read from the middle."""
    return not head.startswith((*_COMPRESSED, b"\xff\xfe", b"\xfe\xff")) and b"\0" not in head


# --- plans as JSON ---


def object_to_json(obj: Object) -> dict[str, Any]:
    """``obj`` as a JSON object without what is empty."""
    members = {name: value for name, value in asdict(obj).items() if value not in (None, "", 0) or name in ("size", "end")}
    if obj.modified is not None:
        members["modified"] = obj.modified.isoformat()
    return {name: value for name, value in members.items() if value is not None}


def object_from_json(members: Mapping[str, Any]) -> Object:
    """The object that `object_to_json` wrote."""
    given = dict(members)
    if "modified" in given:
        given["modified"] = datetime.fromisoformat(given["modified"])
    return Object(**given)


def planned_to_json(planned: Planned) -> str:
    """``planned`` as text that is the same for the same plan, so that a digest of it names the plan."""
    document = {
        "objects": [object_to_json(obj) for obj in planned.objects],
        **{name: [asdict(item) for item in getattr(planned, name)] for name in ("seen", "skips", "rejects", "waiting")},
    }
    return json.dumps(document, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def planned_from_json(text: str) -> Planned:
    """The plan that `planned_to_json` wrote."""
    document = json.loads(text)

    def each(name: str, kind: Callable[..., Any]) -> Iterator[Any]:
        return (kind(**members) for members in document[name])

    return Planned(
        tuple(object_from_json(members) for members in document["objects"]),
        tuple(each("seen", Seen)),
        tuple(each("skips", Skip)),
        tuple(each("rejects", Reject)),
        tuple(each("waiting", Skip)),
    )
