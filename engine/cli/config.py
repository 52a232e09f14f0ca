"""`crosswind config …`: write, check and show crosswind.toml."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

config = typer.Typer(no_args_is_help=True, help="Write, check and show the configuration of `crosswind run` and everything around it.")

File = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration. Default: $CROSSWIND_CONFIG, else crosswind.toml here.")
]


class CheckFormat(StrEnum):
    table = "table"
    json = "json"


class ShowFormat(StrEnum):
    toml = "toml"
    json = "json"


@config.command()
def init(path: Annotated[Path, typer.Argument(metavar="[FILE]", help="Where to write it.")] = Path("crosswind.toml")) -> int:
    """Write a configuration with comments, to be filled in. Nothing that exists is overwritten."""
    from engine.config.writing import write_template
    from engine.documents.destination import open_output

    write_template(path)
    with open_output(None) as stream:
        stream.write(f"wrote {path}; next: fill in [source.NAME], then `crosswind config check`\n")
    return 0


@config.command()
def check(
    context: typer.Context,
    file: File = None,
    form: Annotated[CheckFormat, typer.Option("--format", help="For people, or one JSON document.")] = CheckFormat.table,
) -> int:
    """Say what is wrong with the configuration: settings, paths, rules, secrets, certificates, schedules. Nothing is sent and nothing is written.

    Exit code 2 when there are errors; warnings cost nothing.
    """
    from engine.config.reading import read_config
    from engine.documents.destination import open_output
    from engine.pipeline.config_check import check_config
    from engine.report.config_view import write_config_findings
    from engine.report.findings import Severity

    commands = list(getattr(context.find_root().command, "commands", {}))
    findings = check_config(read_config(file, os.environ), commands)
    with open_output(None) as stream:
        write_config_findings(findings, form.value, stream)
    return 2 if any(finding.severity is Severity.ERROR for finding in findings) else 0


@config.command()
def show(
    file: File = None,
    form: Annotated[ShowFormat, typer.Option("--format", help="TOML with where each value comes from, or one JSON document.")] = ShowFormat.toml,
) -> int:
    """Show the configuration that holds, and for each value whether it comes from the file, the environment or a default. Secrets stay hidden."""
    from engine.config.reading import read_config
    from engine.documents.destination import open_output
    from engine.errors import ConfigError
    from engine.report.config_view import write_settings

    read = read_config(file, os.environ)
    if read.config is None:
        raise ConfigError(read.problems[0])
    with open_output(None) as stream:
        write_settings(read.settings, form.value, stream)
    return 0
