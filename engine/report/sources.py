"""The table of sources."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from engine.schema import Mapping


def print_sources(mappings: Sequence[Mapping]) -> None:
    """Print what each source is called, which rules run on it, how it is delivered, and what must be switched on."""
    table = Table(show_lines=True, highlight=False)
    table.add_column("source", style="bold", no_wrap=True)
    table.add_column("Sigma log sources")
    table.add_column("delivered as")
    table.add_column("log tier")
    for mapping in mappings:
        logsources = "\n".join("/".join(part for part in triple if part) for triple in mapping.logsources)
        table.add_row(mapping.source, logsources, "\n".join(f"• {shape}" for shape in mapping.delivery), mapping.tier)
    Console().print(table, markup=False)
