"""What could not be read, as rows of the lake: each fault once, however often its object is read again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from engine.documents.redaction import redact_text
from engine.model import Reject
from engine.store.lake import Lake
from engine.store.lake_writer import LakeWriter

_FAULT = {"object": pl.String(), "position": pl.Int64(), "reason": pl.String(), "source": pl.String()}


class Rejects:
    """Writes the rejects of one batch of one configured source. Not thread-safe."""

    def __init__(self, writer: LakeWriter, lake: Lake, batch: int, source: str, objects: Sequence[str], now: datetime) -> None:
        self._writer = writer
        self._lake = lake
        self._batch = batch
        self._source = source
        self._objects = objects
        self._now = now
        self._known: pl.DataFrame | None = None

    def keep(self, rejects: Sequence[Reject]) -> None:
        """Write those that no earlier batch has named: same source, object, position and reason."""
        if not rejects:
            return
        rows = [(reject.object, reject.position, redact_text(reject.reason), self._source) for reject in rejects]
        faults = pl.DataFrame(rows, schema=_FAULT, orient="row")
        fresh = faults.join(self._named_before(), on=list(_FAULT), how="anti", nulls_equal=True, maintain_order="left")
        self._writer.write(fresh.with_columns(pl.lit(self._now.date()).alias("x.day")))

    def _named_before(self) -> pl.DataFrame:
        """The faults of these objects that earlier batches named, read when the first one turns up."""
        if self._known is None:
            self._known = self._lake.rejects_of(self._objects, self._batch).select(list(_FAULT)).unique()
        return self._known
