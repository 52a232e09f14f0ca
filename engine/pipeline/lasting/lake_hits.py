"""Hits as the lake keeps them, and back as the kernels read them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from connectors.normalize import NATIVE
from engine.correlate import evidence
from engine.detect.program import Program
from engine.pipeline.lasting.plans import rule_hashes
from engine.schema import COLUMNS

_OWN = frozenset((*evidence.COLUMNS, *evidence.OPTIONAL))
_TEXTS = pl.List(pl.String())
ORDER = ("x.batch", "x.object", "x.position")
"""Of rows with one rule and event the last one counts."""


def to_lake(hits: pl.DataFrame, program: Program) -> pl.DataFrame:
    """Hits of the detection step (``rule``: index, evidence, ``native.<field>``) as rows of the table: rule and hash as text, fields as JSON."""
    rules = program.ruleset.rules
    hashes = rule_hashes(program)
    uids = pl.Series([rule.uid for rule in rules], dtype=pl.String)
    stamps = pl.Series([hashes[rule.uid] for rule in rules], dtype=pl.String)
    names = [name for name in hits.columns if name.startswith(NATIVE) or (name in program.columns and name not in _OWN)]
    fields = [pl.col(name) if hits.schema[name] == _TEXTS else pl.col(name).cast(pl.String()) for name in names]
    told = hits.select(pl.struct(fields).struct.json_encode()).to_series() if names else pl.repeat(None, hits.height, dtype=pl.String(), eager=True)
    frame = evidence.complete(hits).select(*evidence.COLUMNS, *evidence.OPTIONAL)
    return frame.with_columns(uids.gather(hits["rule"]).alias("rule"), stamps.gather(hits["rule"]).alias("x.rule_hash"), told.alias("x.fields"))


def from_lake(rows: pl.DataFrame, program: Program, *, batch: bool = False) -> pl.DataFrame:
    """Rows of the table as hits: those of the rules as they are now, each (rule, event) once, the last row by `ORDER`; ``batch``: with x.batch."""
    hashes = rule_hashes(program)
    position = {rule.uid: index for index, rule in enumerate(program.ruleset.rules)}
    now = pl.DataFrame(
        {"rule": list(position), "index": list(position.values()), "x.rule_hash": [hashes[uid] for uid in position]},
        schema={"rule": pl.String(), "index": pl.UInt32(), "x.rule_hash": pl.String()},
    )
    kept = rows.join(now, on=["rule", "x.rule_hash"]).sort(ORDER)
    kept = kept.unique(["rule", "x.uid"], keep="last", maintain_order=True)
    return kept.with_columns(_fields(kept["x.fields"], program), rule=pl.col("index")).select(
        "rule", *evidence.COLUMNS, *evidence.OPTIONAL, *(name for name, _ in _wanted(program)), *(("x.batch",) if batch else ())
    )


def _wanted(program: Program) -> list[tuple[str, pl.DataType]]:
    native = dict.fromkeys(name for names in program.group_paths.values() for name in names)
    return [(NATIVE + name, _TEXTS) for name in native] + [(name, COLUMNS[name].dtype) for name in program.columns if name not in _OWN]


def _fields(texts: pl.Series, program: Program) -> Sequence[pl.Series]:
    wanted = _wanted(program)
    if not wanted:
        return []
    kind = pl.Struct({name: dtype if dtype == _TEXTS else pl.String() for name, dtype in wanted})
    found = texts.fill_null("{}").str.json_decode(kind).struct.unnest() if len(texts) else pl.DataFrame(schema=dict(kind))
    return [found[name].cast(dtype).alias(name) for name, dtype in wanted]
