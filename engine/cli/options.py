"""Options that several commands have."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
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


class EngineWord(StrEnum):
    """Where records are worked on."""

    local = "local"
    spark = "spark"


Engine = Annotated[EngineWord, typer.Option("--engine", help="Work in this process, or as tasks of a Spark cluster: the results are the same.")]
Master = Annotated[
    str | None, typer.Option("--master", metavar="URL", help="With --engine spark: `local[4]` (default: all cores), `spark://…`, `yarn`, …")
]
SparkConf = Annotated[
    list[str] | None, typer.Option("--spark-conf", metavar="spark.NAME=VALUE", help="With --engine spark: a setting of Spark's. May be repeated.")
]
ShipCode = Annotated[bool, typer.Option("--ship-code", help="With --engine spark: send crosswind along, for clusters whose machines do not have it.")]


class LevelWord(StrEnum):
    """Sigma's levels as a choice."""

    informational = "informational"
    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"


class Format(StrEnum):
    """How stored things are listed."""

    table = "table"
    ndjson = "ndjson"


class Status(StrEnum):
    """What people made of an alert or an incident."""

    open = "open"
    acknowledged = "acknowledged"
    closed = "closed"


class Verdict(StrEnum):
    """What it was in the end."""

    true_positive = "true-positive"
    benign = "benign"
    false_positive = "false-positive"


Configured = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Default: $CROSSWIND_CONFIG, or crosswind.toml here.")]
Place = Annotated[str | None, typer.Option("--state", metavar="FILE|URL", help="This state instead of the configured one.")]
Form = Annotated[Format | None, typer.Option("--format", help="A table on a terminal, NDJSON when piped.")]
Who = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who makes the change. Default: $CROSSWIND_USER, or $USER.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why.")]
Content = Annotated[bool, typer.Option("--show-content", help="Do not redact prompts, completions and credentials.")]


def chosen_form(form: Format | None) -> str:
    """The format that is asked for, else a table on a terminal and NDJSON for a pipe."""
    return (form or (Format.table if sys.stdout.isatty() else Format.ndjson)).value


def who_is(name: str | None) -> str:
    """Whose look or change it is."""
    from engine.errors import UsageError

    if who := (name or os.environ.get("CROSSWIND_USER") or os.environ.get("USER") or "").strip():
        return who
    raise UsageError("it must be known who does this: say --as NAME")
