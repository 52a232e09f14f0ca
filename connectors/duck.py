"""Records read by DuckDB: one query over many of them, in memory, by the thread that asks."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import duckdb
import polars as pl
import pyarrow as pa

from connectors.exact import Segments

_PARSED_AT_ONCE = 256 << 10
"""DuckDB parses about so many bytes of records at once; a parsed record takes about four times its text."""

_local = threading.local()


def _connection() -> duckdb.DuckDBPyConnection:
    connection: duckdb.DuckDBPyConnection | None = getattr(_local, "connection", None)
    if connection is None:
        connection = duckdb.connect(config={"threads": 1, "enable_external_access": False})
        # In a process without a main file, such as a spawned one, DuckDB takes itself to be at a terminal and draws on stdout.
        connection.execute("SET enable_progress_bar = false")
        _local.connection = connection
    return connection


def literals(texts: Sequence[str]) -> str:
    """``texts`` as a list in SQL, without brackets."""
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


def json_path(segments: Segments) -> str:
    """A path as DuckDB looks it up: exactly, member by member. Names with quotes lose them: who asks has to see to such."""
    return "$" + "".join('."' + segment.replace('"', "") + '"' for segment in segments)


def query(raw: pl.Series, what: str) -> pa.Table:
    """``what``, an SQL expression over the column raw_data, of every record."""
    connection = _connection()
    connection.register("records", _small_batches(raw))
    try:
        return connection.sql(f"select {what} from records").to_arrow_table()
    finally:
        connection.unregister("records")


def tried(raw: pl.Series, what: str, cast: str = "") -> pa.Array:
    """``what`` of every record, null where DuckDB cannot read it. Looking out for such records costs a tenth, so it waits until there is one."""
    try:
        found = query(raw, f"{what}{cast} as found")
    except duckdb.Error:
        found = query(raw, f"try({what}){cast} as found")
    return found.column("found").combine_chunks()


def _small_batches(raw: pl.Series) -> pa.Table:
    """``raw`` as it lies in memory, in batches so small that what DuckDB parses of one stays in the cache of a core: a third less time."""
    texts = raw.to_arrow(compat_level=pl.CompatLevel.newest())
    rows = max(1, min(2048, _PARSED_AT_ONCE * raw.len() // max(1, int(raw.str.len_bytes().sum()))))
    return pa.Table.from_batches(pa.table({"raw_data": texts}).to_batches(max_chunksize=rows))
