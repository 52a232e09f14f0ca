"""Objects in batches: which part of its object a batch holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import batches
from connectors.transports.base import Limits


def test_an_object_of_many_pieces_begins_a_batch_with_its_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.ndjson").write_text('{"same":"record"}\n' * 400)
    limits = Limits(chunk_bytes=1_000, block_bytes=500)
    given = batches.list_input([str(tmp_path)], limits, None)
    (whole,) = [batch for stream in given.streams(limits) for batch in stream]
    assert whole.records.height == 400
    assert list(whole.parts.values()) == [0]
    monkeypatch.setattr(batches, "BATCH_BYTES", 2_000)
    parted = [batch for stream in given.streams(limits) for batch in stream]
    numbers = [number for batch in parted for number in batch.parts.values()]
    assert len(parted) > 2
    assert numbers[0] == 0
    assert numbers == sorted(set(numbers))
    assert sum(batch.records.height for batch in parted) == 400


def test_every_record_names_the_object_it_came_from(tmp_path: Path) -> None:
    for name, count in (("a", 2), ("b", 0), ("c", 1), ("d", 3)):
        (tmp_path / f"{name}.ndjson").write_text(f'{{"in":"{name}"}}\n' * count)
    limits = Limits()
    given = batches.list_input([str(tmp_path)], limits, None)
    (whole,) = [batch for stream in given.streams(limits) for batch in stream]
    rows = whole.records.select("raw_data", "object", "object_index", "position").rows()
    uris = [obj.uri for obj in given.objects]
    assert [(text, Path(uri).stem, position) for text, uri, _, position in rows] == [
        (f'{{"in":"{name}"}}', name, position) for name, count in (("a", 2), ("c", 1), ("d", 3)) for position in range(count)
    ]
    assert all(uris[index] == uri for _, uri, index, _ in rows)
