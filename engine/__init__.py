"""crosswind's public names. `evaluate` runs Sigma rules on dicts, `scan` on files, `open_lake` asks stored events.

`SparkRunner` takes the session of a notebook: ``scan(…, runner=SparkRunner(spark))`` works as tasks of that cluster. The rest are the values they
return and the errors they raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.errors import CrosswindError, RuleError, UsageError
from engine.model import Alert, CorrelationAlert, Entity, Evaluation, EventRef, Level, RunReport

if TYPE_CHECKING:
    from engine.pipeline import ScanResult, Settings, evaluate, scan
    from engine.pipeline.hunts.hunting import OpenLake, open_lake
    from engine.runners.spark import SparkRunner

__all__ = [
    "Alert",
    "CorrelationAlert",
    "CrosswindError",
    "Entity",
    "Evaluation",
    "EventRef",
    "Level",
    "OpenLake",
    "RuleError",
    "RunReport",
    "ScanResult",
    "Settings",
    "SparkRunner",
    "UsageError",
    "evaluate",
    "open_lake",
    "scan",
]

_PIPELINE = frozenset(("ScanResult", "Settings", "evaluate", "scan"))
_HUNTING = frozenset(("OpenLake", "open_lake"))


def __getattr__(name: str) -> Any:
    """These names load the engine on first use, so that `import engine` stays light."""
    if name in _PIPELINE:
        from engine import pipeline

        return getattr(pipeline, name)
    if name in _HUNTING:
        from engine.pipeline.hunts import hunting

        return getattr(hunting, name)
    if name == "SparkRunner":
        from engine.runners.spark import SparkRunner

        return SparkRunner
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
