"""`crosswind sources`: what can be read, for machines and for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from connectors.sources import load_mappings

Cli = Callable[..., Any]


def test_every_source_is_listed_with_what_it_needs(cli: Cli) -> None:
    ran = cli("sources")
    listed = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 0
    assert [source["source"] for source in listed] == list(load_mappings())
    for source in listed:
        assert source["title"]
        assert source["tier"]
        assert source["delivery"]
        assert source["logsources"]
        assert all(set(logsource) <= {"product", "service", "category"} and logsource for logsource in source["logsources"])
        assert source["ai"] == any(logsource.get("product") == "ai" for logsource in source["logsources"])


def test_the_table_names_every_source(cli: Cli) -> None:
    shown = cli("sources", "--format", "table").out
    assert [name for name in load_mappings() if name not in shown] == []
