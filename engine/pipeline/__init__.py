"""Joins it all: the only room that sees connectors and engine together.

`scan` is the product in one function: paths in, alerts and an honest report out. `events` shows what was understood, `evaluate` runs rules on events
that are already in memory, `check_rule_tests` runs the tests that stand in rules. All go through the same normaliser, plan and kernel.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.pipeline.authoring.checks import RuleTest, check_rule_tests, rule_tests
    from engine.pipeline.batch import Settings
    from engine.pipeline.evaluation import evaluate
    from engine.pipeline.run import Progress, ScanResult, scan
    from engine.pipeline.show import EventsRun, events
    from engine.schema import Mapping

__all__ = [
    "EventsRun",
    "Progress",
    "RuleTest",
    "ScanResult",
    "Settings",
    "check_rule_tests",
    "evaluate",
    "events",
    "rule_tests",
    "scan",
    "sources",
]


_HOMES = {
    "EventsRun": "show",
    "Progress": "run",
    "RuleTest": "authoring.checks",
    "ScanResult": "run",
    "Settings": "batch",
    "check_rule_tests": "authoring.checks",
    "evaluate": "evaluation",
    "events": "show",
    "rule_tests": "authoring.checks",
    "scan": "run",
}


def __getattr__(name: str) -> Any:
    """Each name loads its own file on first use, so that listing rules or sources does not wait for what reads logs."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def sources() -> list[Mapping]:
    """Every source crosswind knows, in registry order."""
    from connectors.sources import load_mappings

    return list(load_mappings().values())
