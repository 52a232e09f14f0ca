"""Facts as events told them: the frame that holds them, and how those of several batches become one.

A fact says what one event told about one asset: what it is (``value``), or that it may have changed in a way the record does not hold (no value).
Each is a function of its event alone, so the facts of batches, in any order and number, are put together with `together`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import polars as pl

from engine import jsontext
from engine.identity.entities import shortened
from engine.posture.kinds import KINDS

FACTS: dict[str, pl.DataType] = {
    "fact": pl.String(),
    "asset": pl.String(),
    "part": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "value": pl.String(),
    "why": pl.String(),
    "tier": pl.String(),
    "source": pl.String(),
    "event_uid": pl.String(),
}
"""Columns of a facts frame: ``fact`` is a key of `KINDS`, ``asset`` a text ``type:value``, ``part`` tells facts of one asset apart that are known
each by itself ("": the whole), ``time`` is that of the event, ``value`` an object as JSON text in its one spelling (`canonical_value`), null where
the record does not hold it and ``why`` says why not, ``tier`` the log it takes, ``event_uid`` the x.uid of the proof.
"""

ORDER = ("fact", "asset", "part", "time", "event_uid")
"""Columns by which facts are sorted; what one event told of one fact is one row."""

LONGEST_VALUE = 4_096
"""Bytes of a value; a longer one is not kept."""

_TOO_LONG = f"the record tells more than is kept of a fact ({LONGEST_VALUE:,} bytes)"


def empty() -> pl.DataFrame:
    """A facts frame without rows."""
    return pl.DataFrame(schema=FACTS)


def described(raw: pl.DataFrame) -> pl.DataFrame:
    """Facts of raw ones (the columns of `FACTS`, ``value`` as any JSON text): assets without what only their spelling says and of bounded length,
    values in their one spelling. Rows without an asset, of unknown facts or with texts that hide something (``***``) are left out.
    """
    fine = pl.col("fact").is_in(list(KINDS)) & pl.col("asset").is_not_null() & ~pl.col("asset").str.contains("***", literal=True)
    frame = raw.filter(fine & (pl.col("asset").str.len_bytes() > pl.col("asset").str.find(":", literal=True) + 1))
    if not frame.height:
        return empty()
    assets, parts = _each(frame["asset"], asset_of), _each(frame["part"].fill_null(""), shortened)
    values = _each(frame["value"], canonical_value)
    long = frame["value"].is_not_null() & values.is_null()
    frame = frame.with_columns(assets, parts, values).with_columns(
        why=pl.when(long).then(pl.lit(_TOO_LONG)).when(pl.col("value").is_null()).then(pl.col("why")).otherwise(None)
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in FACTS.items())


def _each(texts: pl.Series, function: Any) -> pl.Series:
    """``function`` of every distinct text."""
    memo = {text: function(text) for text in texts.drop_nulls().unique().to_list()}
    return pl.Series(texts.name, [None if text is None else memo[text] for text in texts.to_list()], dtype=pl.String)


def asset_of(text: str) -> str:
    """``type:value`` in its one spelling: resources of Azure and objects of Entra ID differ in case without meaning it."""
    kind, _, value = text.partition(":")
    value = value.strip()
    if kind.startswith(("azure.", "entra.")):
        value = value.lower().rstrip("/")
    return shortened(f"{kind}:{value}")


def canonical_value(text: str) -> str | None:
    """The JSON text of an object with its members sorted; None for what is no object or longer than `LONGEST_VALUE`."""
    try:
        value = jsontext.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    made = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return made if len(made.encode(errors="replace")) <= LONGEST_VALUE else None


def together(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Facts of several frames as one, each once, sorted by `ORDER`. Where records with one identity tell different values, the greater text stays."""
    frames = [part.select(list(FACTS)) for part in parts]
    if not frames:
        return empty()
    facts = pl.concat(frames).unique().sort([*ORDER, "value", "why", "tier", "source"], nulls_last=False)
    return facts.unique(list(ORDER), keep="last", maintain_order=True)
