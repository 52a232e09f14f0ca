"""`crosswind spark`: what a Spark cluster needs to work for crosswind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

spark = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Prepare a Spark cluster to work for `--engine spark`.",
)


@spark.callback()
def group() -> None:
    """Prepare a Spark cluster to work for `--engine spark`."""


@spark.command()
def package(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The archive, `.tar.gz`.")] = Path("crosswind.tar.gz"),
) -> int:
    """Pack crosswind and the packages it needs, for clusters whose machines do not have it.

    Workers need Spark and the same minor version of Python, nothing else. `--ship-code` packs and sends it in one step; an archive of your own saves
    the packing of every run, and can lie where the cluster reads it (`s3://…`, `hdfs://…`).
    """
    from engine.runners.spark_package import FOLDER, package

    made = package(output)
    sys.stderr.write(f"{made.path}: {made.size / 1e6:,.0f} MB, crosswind and {len(made.packages)} packages. Send it along with\n")
    sys.stderr.write(f"  --spark-conf spark.archives={made.path}#{FOLDER} --spark-conf spark.executorEnv.PYTHONPATH={FOLDER}\n")
    return 0
