"""`crosswind sinks …`: prepare and try the places alerts go to, see what waits for them, send again what they refused."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

sinks = typer.Typer(no_args_is_help=True, help="Prepare and try the places alerts are sent to, see what waits for them, send it again.")

File = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration. Default: $CROSSWIND_CONFIG, else crosswind.toml here.")
]
Names = Annotated[list[str] | None, typer.Argument(metavar="[SINK]…", help="Names of sinks. Default: all that are configured.")]


class Format(StrEnum):
    table = "table"
    json = "json"


Form = Annotated[Format, typer.Option("--format", help="For people, or one JSON document.")]


@sinks.command()
def install(
    names: Names = None,
    kibana: Annotated[bool, typer.Option("--kibana", help="Import data view, dashboard and detection rule into Kibana too.")] = False,
    file: File = None,
    form: Form = Format.table,
) -> int:
    """Put the templates into Elasticsearch, make the folders of files. May be repeated; exit code 3 when a sink failed."""
    from engine.config import load_config
    from engine.documents.destination import open_output
    from engine.pipeline.lasting.delivering import install as run
    from engine.report.sink_view import write_tried

    tried = run(load_config(file, os.environ), names or (), kibana=kibana)
    with open_output(None) as stream:
        write_tried(tried, form.value, stream)
    return 3 if any(each.error for each in tried) else 0


@sinks.command("test")
def try_(names: Names = None, file: File = None, form: Form = Format.table) -> int:
    """Find out whether deliveries would work, without making one: addresses, credentials, templates, blocks. Exit code 3 when not."""
    from engine.config import load_config
    from engine.documents.destination import open_output
    from engine.pipeline.lasting.delivering import test as run
    from engine.report.sink_view import write_tried

    tried = run(load_config(file, os.environ), names or ())
    with open_output(None) as stream:
        write_tried(tried, form.value, stream)
    return 3 if any(each.error for each in tried) else 0


@sinks.command()
def status(file: File = None, form: Form = Format.table) -> int:
    """Show what waits for each sink and what was refused for good, with the server's reason. Exit code 3 when something was refused."""
    from engine.config import load_config
    from engine.documents.destination import open_output
    from engine.pipeline.lasting.delivering import standing
    from engine.report.sink_view import write_standing
    from engine.store.state import State

    config = load_config(file, os.environ)
    with State.open(config.state, create=False) as state:
        found = standing(config, state)
    with open_output(None) as stream:
        write_standing(found, form.value, stream)
    return 3 if any(each.dead for each in found) else 0


@sinks.command()
def replay(
    names: Names = None,
    ids: Annotated[list[int] | None, typer.Option("--id", metavar="N", help="Only this dead letter, see `sinks status`. May be repeated.")] = None,
    file: File = None,
    form: Form = Format.table,
) -> int:
    """Deliver dead letters again, after what the server complained of was repaired, and all else that waits. Exit code 3 when something failed."""
    from engine.config import load_config
    from engine.documents.destination import open_output
    from engine.pipeline.lasting.delivering import replay as run
    from engine.report.sink_view import write_drained
    from engine.store.state import State

    config = load_config(file, os.environ)
    with State.open(config.state, create=False) as state:
        again, reports = run(config, state, datetime.now(UTC), names or (), ids)
    with open_output(None) as stream:
        write_drained(again, reports, form.value, stream)
    return 3 if any(each.failed for each in reports) else 0
