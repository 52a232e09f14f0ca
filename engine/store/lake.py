"""The lake: all events, hits, edges, facts and rejects as Delta tables that any tool can read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from engine.errors import StateError
from engine.store.lake_files import lake_errors, load, make_folder, owner_only, readable
from engine.store.lake_log import last_batch, live_parts
from engine.store.lake_tables import CONTENT, TABLES, UID_HIGH, UID_LOW, Table
from engine.store.lake_writer import LakeWriter

_PROPERTIES = {
    "delta.checkpointInterval": "50",
    "delta.deletedFileRetentionDuration": "interval 7 days",
    "delta.logRetentionDuration": "interval 30 days",
}
"""Checkpoints keep opening fast when every five minutes brings a commit."""

_UNFIT = re.compile(r"[%*?#=\[\]{}\\\x00-\x1f]")
"""Characters of a path that one library or another takes for a pattern or an escape."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a table holds: live files, their bytes and rows, and the days and sources there."""

    table: str
    files: int
    bytes: int
    rows: int
    first_day: date | None
    last_day: date | None
    sources: tuple[str, ...]


class Lake:
    """Tables in one directory. It holds no connection and caches nothing: every call sees the tables as they are at that moment."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path, *, create: bool) -> Lake:
        """The lake at ``path``. ``create`` makes what is missing, tables and columns that newer versions brought, readable by the owner alone."""
        path = Path(path).absolute()
        if odd := _UNFIT.search(str(path)):
            raise StateError(f"the lake cannot be at {path}: libraries that read it stumble over {odd[0]!r} in a path; choose another directory")
        if create:
            with lake_errors(path, "make its tables"):
                make_folder(path)
                for table in TABLES.values():
                    _complete(path, table)
        else:
            for table in TABLES.values():
                load(path, table)
        return cls(path)

    def batch_of(self, table: str) -> tuple[int, str | None]:
        """The number of the batch that was committed to a table last (0: none yet), and the digest of its plan where the log still knows it."""
        with lake_errors(self.path, f"read table {table!r}"):
            last = last_batch(self.path, TABLES[table])
        return last.number, last.digest

    def writer(self, table: str, batch: int) -> LakeWriter:
        """Takes the rows of a batch for one table."""
        return LakeWriter(self.path, TABLES[table], batch)

    def scan(self, table: str) -> pl.LazyFrame:
        """All rows of a table as it is now. Filters on partition columns and on columns with bounds skip files."""
        about = TABLES[table]
        there = pl.scan_delta(readable(self.path, about))
        names = there.collect_schema().names()
        missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in about.columns.items() if name not in names]
        return there.with_columns(missing) if missing else there

    def known(self, source_days: Iterable[tuple[str, date]], before_batch: int, among: pl.DataFrame) -> pl.DataFrame:
        """The identities of events of earlier batches: x.uid_high, x.uid_low, x.content_hash (unsigned), x.source, x.day.

        Looked for are those in ``among`` (x.uid_high, x.uid_low, as `fingerprints` makes them), on some days of some sources and those beside them:
        two records of one event rarely tell times of different days, and hardly ever of days further apart.
        """
        wanted = _partitions((source, day + timedelta(days=step)) for source, day in source_days for step in (-1, 0, 1))
        if wanted is None:
            return pl.DataFrame(
                schema={UID_HIGH: pl.UInt64(), UID_LOW: pl.UInt64(), CONTENT: pl.UInt64(), "x.source": pl.String(), "x.day": pl.Date()}
            )
        numbers = [pl.col(name).reinterpret(signed=False) for name in (UID_HIGH, UID_LOW, CONTENT)]
        looked_for = among[UID_HIGH].reinterpret(signed=True).unique().implode()
        with lake_errors(self.path, "read what is known of earlier batches"):
            found = self.scan("events").filter(wanted & pl.col(UID_HIGH).is_in(looked_for) & (pl.col("x.batch") < before_batch))
            there = found.select(*numbers, "x.source", "x.day").collect(engine="streaming")
        return there.join(among.select(UID_HIGH, UID_LOW).unique(), on=[UID_HIGH, UID_LOW], how="semi")

    def rejects_of(self, objects: Sequence[str], before_batch: int) -> pl.DataFrame:
        """What earlier batches could not read of some objects."""
        with lake_errors(self.path, "read what earlier batches could not read"):
            wanted = pl.LazyFrame({"object": objects}, schema={"object": pl.String()})
            return self.scan("rejects").filter(pl.col("x.batch") < before_batch).join(wanted, on="object", how="semi").collect(engine="streaming")

    def event_files(self, source_days: Iterable[tuple[str, date]], before_batch: int) -> list[tuple[Path, str, date]]:
        """The live files that hold events of some partitions and of earlier batches, with the partition of each."""
        about = TABLES["events"]
        wanted = pl.DataFrame(list(source_days), schema={"x.source": pl.String(), "x.day": pl.Date()}, orient="row")
        parts = live_parts(load(self.path, about), about).join(wanted, on=["x.source", "x.day"], how="semi")
        parts = parts.filter(~(pl.col("least.x.batch") >= before_batch).fill_null(False))
        return [
            (self.path / about.name / path, source, day) for path, source, day in parts.select("path", "x.source", "x.day").sort("path").iter_rows()
        ]

    def events_between(
        self, sources: Collection[str] | None, start: datetime | None, end: datetime | None, columns: Sequence[str] | None = None
    ) -> pl.LazyFrame:
        """Events of some sources (None: all) from ``start`` up to before ``end``."""
        found = _between(self.scan("events"), start, end)
        if sources is not None:
            found = found.filter(pl.col("x.source").is_in(sorted(sources)))
        return found if columns is None else found.select(columns)

    def read_events(self, paths: Sequence[Path], source: str, start: datetime | None, end: datetime | None, columns: Sequence[str]) -> pl.LazyFrame:
        """As `events_between`, of some of the files of one source."""
        found = pl.scan_parquet(list(paths), glob=False, hive_partitioning=False).with_columns(pl.lit(source).alias("x.source"))
        return _at_times(found, start, end).select(columns)

    def hits_between(self, rules: Collection[str] | None, start: datetime | None, end: datetime | None) -> pl.LazyFrame:
        """Hits of some rules by uid (None: all), of whatever version of them, from ``start`` up to before ``end``."""
        found = _between(self.scan("hits"), start, end)
        return found if rules is None else found.filter(pl.col("rule").is_in(sorted(rules)))

    def files(self, table: str, *, sources: Collection[str] | None = None, start: datetime | None = None, end: datetime | None = None) -> list[Path]:
        """The live files of a table that may hold rows of some sources and times, for tools that read Parquet themselves."""
        about = TABLES[table]
        parts = live_parts(load(self.path, about), about)
        if sources is not None and "x.source" in about.partition:
            parts = parts.filter(pl.col("x.source").is_in(sorted(sources)))
        if start is not None:
            parts = parts.filter(pl.col("x.day") >= _day(start))
        if end is not None:
            parts = parts.filter(pl.col("x.day") <= _day(end))
        return [self.path / table / name for name in parts["path"].sort().to_list()]

    def extent(self, table: str) -> Extent:
        """How much a table holds, from its log alone."""
        about = TABLES[table]
        with lake_errors(self.path, f"read the log of table {table!r}"):
            parts = live_parts(load(self.path, about), about)
        days = [day for day in parts["x.day"].unique().sort().to_list() if day is not None]
        sources = parts["x.source"].unique().sort().to_list() if "x.source" in parts.columns else []
        first, last = (days[0], days[-1]) if days else (None, None)
        return Extent(table, parts.height, int(parts["size"].sum()), int(parts["rows"].sum()), first, last, tuple(sources))


def _complete(root: Path, table: Table) -> None:
    """Make a table, or give it the columns it lacks."""
    from deltalake import DeltaTable, Schema

    path = root / table.name
    make_folder(path / "_delta_log")
    empty = pl.DataFrame(schema=dict(table.columns)).to_arrow(compat_level=pl.CompatLevel.oldest())
    schema = Schema.from_arrow(empty.schema)
    with owner_only:
        if not DeltaTable.is_deltatable(str(path)):
            properties = {**_PROPERTIES, "delta.dataSkippingStatsColumns": ",".join(f"`{name}`" for name in table.bounds)}
            DeltaTable.create(str(path), schema=schema, partition_by=list(table.partition), mode="ignore", configuration=properties)
            return
        there = DeltaTable(str(path))
        ours = {field.name: field for field in schema.fields}
        theirs = {field.name: field for field in there.schema().fields}
        wrong = sorted(name for name in ours if name in theirs and str(ours[name].type) != str(theirs[name].type))
        if wrong:
            raise StateError(f"the lake at {root}: column {wrong[0]!r} of table {table.name!r} has another type; it is not a lake of this program")
        missing = [field for name, field in ours.items() if name not in theirs]
        if missing:
            there.alter.add_columns(missing)


def _partitions(source_days: Iterable[tuple[str, date]]) -> pl.Expr | None:
    """A condition that names partitions of events, None for none."""
    days: dict[str, set[date]] = {}
    for source, day in source_days:
        days.setdefault(source, set()).add(day)
    if not days:
        return None
    return pl.any_horizontal((pl.col("x.source") == source) & pl.col("x.day").is_in(sorted(some)) for source, some in sorted(days.items()))


def _between(frame: pl.LazyFrame, start: datetime | None, end: datetime | None) -> pl.LazyFrame:
    if start is not None:
        frame = frame.filter(pl.col("x.day") >= _day(start))
    if end is not None:
        frame = frame.filter(pl.col("x.day") <= _day(end - timedelta(microseconds=1)))
    return _at_times(frame, start, end)


def _at_times(frame: pl.LazyFrame, start: datetime | None, end: datetime | None) -> pl.LazyFrame:
    if start is not None:
        frame = frame.filter(pl.col("time") >= start)
    return frame if end is None else frame.filter(pl.col("time") < end)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
