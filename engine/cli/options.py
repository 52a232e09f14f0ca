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
