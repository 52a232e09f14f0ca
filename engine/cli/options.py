"""Options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

Pipelines = Annotated[
    list[str] | None,
    typer.Option("--pipeline", metavar="FILE|NAME", help="pySigma processing pipeline for rules that are not built in. May be repeated."),
]
Variables = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=A,B", help="Values of the placeholder %NAME%, or a YAML file with several. May be repeated."),
]


class LevelWord(StrEnum):
    """Sigma's levels as a choice."""

    informational = "informational"
    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"
