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
