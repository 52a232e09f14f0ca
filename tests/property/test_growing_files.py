"""Whatever the moments at which a growing file is looked at: all that was read is what is read of it in the end."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.batches import Batch, Input, list_input
from connectors.cursors import Seen, plan
from connectors.transports.base import Limits
from connectors.transports.files import FilesTransport
from tests.examples import examples

Rows = list[tuple[int, str, int]]
"""Position, text, and how many equal ones stood before."""

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)

leaf = st.one_of(st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(alphabet='aä€😀\u2028{}[],:"\\\n\r', max_size=6))
record = st.dictionaries(
    st.text(alphabet="kä😀", min_size=1, max_size=2), st.recursive(leaf, lambda each: st.lists(each, max_size=3)), min_size=1, max_size=3
)


@st.composite
def file_bytes(draw: st.DrawFn) -> bytes:
    """NDJSON, wrapped lines, documents over several lines, or one document; with LF or CRLF, blank lines and a byte order mark."""
    records = draw(st.lists(record, min_size=1, max_size=8))
    records += draw(st.lists(st.sampled_from(records), max_size=6))
    ascii_only, indent = draw(st.booleans()), draw(st.sampled_from([None, None, 1]))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    shape = draw(st.sampled_from(["lines", "lines", "wrapped", "document"]))

    def text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, indent=indent).replace("\n", newline)

    if shape == "document":
        whole = text({"Records": records})
    else:
        values: list[Any] = [{"records": records[at : at + 2]} for at in range(0, len(records), 2)] if shape == "wrapped" else list(records)
        whole = "".join(text(value) + newline * draw(st.sampled_from([1, 1, 2])) for value in values)
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + whole.encode()


def read_whole(path: Path) -> Rows:
    limits = Limits()
    found = [batch for stream in list_input([str(path)], limits, None).streams(limits) for batch in stream]
    return [row for batch in found for row in rows_of(batch)]


def rows_of(batch: Batch) -> Rows:
    rows = batch.records.select("object", "position", "raw_data").iter_rows()
    return [(at, text, batch.repeats.get((uri, at), 0)) for uri, at, text in rows]


def take_now(path: Path, rows: dict[str, Seen], now: datetime) -> Rows:
    limits, transport = Limits(), FilesTransport([str(path)])
    planned = plan(transport.list(), lambda uris: {uri: rows[uri] for uri in uris if uri in rows}, transport, now=now)
    found: Rows = []
    ends: dict[str, int] = {}
    for stream in Input(transport, list(planned.objects)).streams(limits):
        for batch in stream:
            assert batch.failed == batch.rejects == []
            found += rows_of(batch)
            ends |= batch.ends
    rows.update((row.uri, row) for row in planned.settled(ends))
    return found


@examples(150)
@given(data=file_bytes(), cuts=st.lists(st.floats(0, 1), max_size=8))
def test_a_growing_file_is_read_exactly_once(data: bytes, cuts: list[float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.json"
        rows: dict[str, Seen] = {}
        found: Rows = []
        stops = sorted({round(cut * len(data)) for cut in cuts} | {len(data)})
        for start, stop in zip([0, *stops], stops, strict=False):
            with path.open("ab") as file:
                file.write(data[start:stop])
            found += take_now(path, rows, EPOCH)
            found += take_now(path, rows, EPOCH)
        found += take_now(path, rows, LATER)
        assert found == read_whole(path)
        assert take_now(path, rows, LATER + timedelta(days=1)) == []
