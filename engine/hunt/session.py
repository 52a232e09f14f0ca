"""One locked DuckDB over the tables of a lake: SQL can read these and nothing else, for so long and in so much memory."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import polars as pl
import pyarrow as pa
from duckdb.func import ARROW, SPECIAL
from duckdb.sqltypes import VARCHAR

from engine.errors import UsageError
from engine.hunt.conditions import quote
from engine.hunt.macros import prelude
from engine.hunt.plan import asked_range, read_columns

ROWS = 1_000
"""Most rows of an answer, unless asked for more."""

_STEP = 2_048
"""Rows that are worked out at a time."""

Moment = datetime | None

LookUp = Callable[[pl.Series, str], pl.Series]
"""Gives the texts (``field``) or lists of texts (``field_list``) at a path of every record."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a query may cost: rows of the answer, seconds, memory, and room on disk for what does not fit in it."""

    rows: int = ROWS
    seconds: float = 60.0
    memory: str = "2GB"
    spill: str = "10GB"


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a query. ``more``: there were more than its bounds allow. ``sql`` is what was asked, ``reads`` which stored columns are in it."""

    rows: pl.DataFrame
    more: bool
    seconds: float
    sql: str
    reads: frozenset[str]


@dataclass(frozen=True, slots=True)
class Tables:
    """What a session reads.

    ``files`` gives the files of a table that may hold rows from one moment to another, both included; ``folders`` hold them. ``columns`` are name →
    type of the tables of the lake, ``sources`` get a view each, ``stored`` tables are made when a query names them, ``functions`` are look-ups
    in records.
    """

    files: Callable[[str, Moment, Moment], Sequence[Path]]
    columns: Mapping[str, Mapping[str, pl.DataType]]
    partition: Mapping[str, Sequence[str]]
    folders: Sequence[Path]
    sources: Sequence[str]
    stored: Mapping[str, Callable[[], pl.DataFrame]]
    functions: Mapping[str, tuple[LookUp, pl.DataType]] = field(default_factory=dict)


class Session:
    """A connection for hunting. ``start`` and ``end`` narrow every view to events from one moment on up to before another."""

    def __init__(self, tables: Tables, bounds: Bounds | None = None, *, start: Moment = None, end: Moment = None) -> None:
        self._tables = tables
        self._bounds = bounds or Bounds()
        self._range = (start, end)
        self._reach = (start, end - timedelta(microseconds=1) if end is not None else None)
        self._prepared = False
        self._union = False
        self._views: dict[str, Sequence[Path]] = {}
        self._spill = tempfile.TemporaryDirectory(prefix="crosswind-hunt-")
        self._connection = duckdb.connect(
            config={"python_enable_replacements": False, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
        )
        try:
            with _one_line():
                self._lock_down()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and delete what it put aside."""
        for name in self._tables.functions:
            with suppress(duckdb.Error):
                self._connection.remove_function(name)
        self._connection.close()
        self._spill.cleanup()

    def _lock_down(self) -> None:
        folders = ", ".join(quote(str(folder)) for folder in self._tables.folders)
        for name, (look_up, dtype) in self._tables.functions.items():
            self._make_function(name, look_up, dtype)
        for setting in (
            "timezone = 'UTC'",
            f"memory_limit = {quote(self._bounds.memory)}",
            f"temp_directory = {quote(self._spill.name)}",
            f"max_temp_directory_size = {quote(self._bounds.spill)}",
            f"allowed_directories = [{folders}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"set {setting}")

    def _make_function(self, name: str, look_up: LookUp, dtype: pl.DataType) -> None:
        result: Any = VARCHAR if dtype == pl.String() else self._connection.list_type(VARCHAR)

        def call(records: pa.ChunkedArray, paths: pa.ChunkedArray) -> pa.Array:
            return _looked_up(look_up, dtype, pl.Series(records, dtype=pl.String), pl.Series(paths, dtype=pl.String))

        self._connection.create_function(name, call, [VARCHAR, VARCHAR], result, type=ARROW, null_handling=SPECIAL)

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Answer:
        """The answer to one SELECT. ``parameters`` are bound to ``$name``. Raises UsageError with what DuckDB has against it, in one line."""
        given = dict(parameters or {})
        began = time.perf_counter()
        with _one_line():
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UsageError("a hunt asks one question: write a single SELECT (or FROM …, DESCRIBE …, SUMMARIZE …)")
            with _interrupted(self._connection, self._bounds.seconds):
                frame, more, reads = self._answered(sql, given)
        return Answer(frame, more, time.perf_counter() - began, sql, reads)

    def explain(self, sql: str, parameters: Mapping[str, Any] | None = None) -> str:
        """DuckDB's plan of a query, as JSON, after everything that narrows the files."""
        with _one_line():
            self._prepare(sql)
            self._narrow(sql, dict(parameters or {}))
            return self._plan(sql, dict(parameters or {}))

    def _answered(self, sql: str, given: dict[str, Any]) -> tuple[pl.DataFrame, bool, frozenset[str]]:
        try:
            self._prepare(sql)
            plan = self._narrow(sql, given)
            with closing(self._connection.sql(sql, params=given or None).to_arrow_reader(_STEP)) as reader:
                return *_first(reader, self._bounds.rows), read_columns(plan)
        except (duckdb.Error, OSError) as error:  # the latter where a file is opened only while its rows are taken
            if self._union or "union_by_name" not in str(error):
                raise
            self._union = True
            self._views.clear()
            return self._answered(sql, given)

    # --- what happens inside ----------------------------------------------------------------------------------------------------------------

    def _prepare(self, sql: str) -> None:
        """The views, and what only some queries need: files, the macros of converted rules, alerts and incidents."""
        if not self._prepared:
            self._prepared = True
            for table in self._tables.columns:
                self._make_view(table, ())  # DuckDB looks at all files of a view for every view upon it
            for source in self._tables.sources:
                for name in (source, source.replace(".", "_")):
                    self._connection.execute(f'create view "{name}" as from events where "x.source" = {quote(source)}')
        for table in self._tables.columns:
            self._make_view(table, self._tables.files(table, *self._reach))
        if "cw_" in sql:
            self._connection.execute(prelude())
        for name, made in self._tables.stored.items():
            if name in sql.lower():
                self._connection.register(name, made().to_arrow())

    def _plan(self, sql: str, given: Mapping[str, Any]) -> str:
        found = self._connection.execute(f"explain (format json) {sql}", given or None).fetchall()
        return str(found[0][1])

    def _narrow(self, sql: str, given: Mapping[str, Any]) -> str:
        """Leave out files that a condition on ``time`` rules out, as DuckDB would open each of them to see. Gives the plan from before."""
        plan = self._plan(sql, given)
        start, end = asked_range(plan)
        if start is not None or end is not None:
            first, last = self._reach
            for table in self._tables.columns:
                self._make_view(table, self._tables.files(table, _latest(first, start), _earliest(last, end)))
        return plan

    def _make_view(self, table: str, files: Sequence[Path]) -> None:
        """A view of a table that reads ``files``."""
        if self._views.get(table) == files:
            return
        self._views[table] = files
        try:
            self._connection.execute(f"create or replace view {table} as {self._reading(table, files)}")
        except duckdb.Error:
            if self._union or not files:
                raise
            self._union = True  # files of an older version lack columns; to find all of them costs a look into every file
            self._connection.execute(f"create or replace view {table} as {self._reading(table, files)}")

    def _reading(self, table: str, files: Sequence[Path]) -> str:
        """The SELECT of a table: the rows of ``files``, or its columns without a row."""
        columns = self._tables.columns[table]
        if not files:
            empty = ", ".join(f'null::{_SQL_TYPES[dtype]} as "{name}"' for name, dtype in columns.items())
            return f"select {empty} where false"
        named = ", ".join(quote(str(path)) for path in files)
        types = ", ".join(f"'{name}': {_SQL_TYPES[columns[name]]}" for name in self._tables.partition[table])
        chosen = ", ".join(f'"{name}"' for name in columns)
        sql = f"select {chosen} from read_parquet([{named}], hive_partitioning = true, hive_types = {{{types}}}, union_by_name = {self._union})"
        first, last = self._range
        wanted = [f"time {sign} {quote(moment.isoformat())}::timestamptz" for sign, moment in ((">=", first), ("<", last)) if moment is not None]
        return f"{sql} where {' and '.join(wanted)}" if wanted else sql


def _latest(one: Moment, other: Moment) -> Moment:
    return max((moment for moment in (one, other) if moment is not None), default=None)


def _earliest(one: Moment, other: Moment) -> Moment:
    return min((moment for moment in (one, other) if moment is not None), default=None)


_SQL_TYPES: dict[pl.DataType, str] = {
    pl.String(): "varchar",
    pl.Int64(): "bigint",
    pl.Float64(): "double",
    pl.Boolean(): "boolean",
    pl.Date(): "date",
    pl.Datetime("us", "UTC"): "timestamptz",
    pl.List(pl.String()): "varchar[]",
}


def _looked_up(look_up: LookUp, dtype: pl.DataType, records: pl.Series, paths: pl.Series) -> pa.Array:
    """``look_up`` for every pair; nearly always all paths are one."""
    made = pl.Series("value", [None], dtype=dtype).new_from_index(0, records.len()) if records.len() else pl.Series("value", [], dtype=dtype)
    for path in paths.drop_nulls().unique().to_list():
        rows = ((paths == path) & records.is_not_null()).fill_null(False).arg_true()
        if not rows.len():
            continue
        try:
            values = look_up(records.gather(rows), path)
        except ValueError as error:
            raise UsageError(str(error)) from error
        made = values if rows.len() == records.len() else made.to_frame("value").with_row_index().join(
            pl.DataFrame({"index": rows, "new": values}), on="index", how="left", maintain_order="left"
        ).select(pl.coalesce("new", "value").alias("value"))["value"]  # fmt: skip
    return made.to_arrow(compat_level=pl.CompatLevel.oldest())


def _first(reader: pa.RecordBatchReader, limit: int) -> tuple[pl.DataFrame, bool]:
    """The first ``limit`` rows, and whether there are more."""
    taken, held = [], 0
    for batch in reader:
        taken.append(batch)
        held += batch.num_rows
        if held > limit:
            break
    frame = pl.from_arrow(pa.Table.from_batches(taken, schema=reader.schema))
    assert isinstance(frame, pl.DataFrame)
    return frame.head(limit), held > limit


@contextmanager
def _interrupted(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Stops a query that takes too long."""
    over = threading.Event()

    def stop() -> None:
        over.set()
        connection.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (duckdb.Error, RuntimeError, OSError) as error:
        if over.is_set():
            raise UsageError(f"the query took longer than {seconds:g} s; narrow it with --from and --to, or allow more with --timeout") from error
        raise
    finally:
        timer.cancel()


@contextmanager
def _one_line() -> Iterator[None]:
    """Turns DuckDB's errors into one line for people."""
    try:
        yield
    except duckdb.Error as error:
        raise UsageError(_said(str(error))) from error


_SHOWN = 400
_OURS = "UsageError: "
"""Before the message of a look-up of ours that DuckDB passes on."""


def _said(text: str) -> str:
    """What DuckDB says without the drawing of where it stopped reading."""
    if _OURS in text:
        return text.rpartition(_OURS)[2].strip()
    kept = [line.strip() for line in text.split("\n\nLINE ")[0].splitlines() if line.strip()]
    said = " ".join(kept)
    if "out of memory" in said.lower():
        return "the query needs more memory than a hunt may use; narrow it with --from and --to, or ask for fewer columns"
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
