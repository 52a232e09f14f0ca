"""`crosswind sources`: what crosswind can read."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    table = "table"
    ndjson = "ndjson"


def sources(
    format: Annotated[Format | None, typer.Option("--format", help="Output format; a table on a terminal, NDJSON when piped.")] = None,  # noqa: A002
) -> None:
    """List the log sources crosswind understands.

    For each: the Sigma log sources whose rules run on it, the shapes it may be delivered in, and which logging must be switched on to have it.
    """
    from engine.pipeline import sources as known
    from engine.report.sources import print_sources

    mappings = known()
    if format is Format.ndjson or (format is None and not sys.stdout.isatty()):
        for mapping in mappings:
            document = {
                "source": mapping.source,
                "title": mapping.title,
                "ai": mapping.ai,
                "logsources": [{k: v for k, v in zip(("product", "service", "category"), triple, strict=True) if v} for triple in mapping.logsources],
                "delivery": list(mapping.delivery),
                "tier": mapping.tier,
                "mapping_version": mapping.version,
            }
            sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return
    print_sources(mappings)
