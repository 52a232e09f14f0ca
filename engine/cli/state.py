"""`crosswind state`: look after what crosswind remembers between runs."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

state = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Look after the state: alerts, cursors and the outbox. Back it up, check it, and bring an older one together with its lake.",
)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration; default `$CROSSWIND_CONFIG`, else `crosswind.toml` here.")
]


@state.command()
def backup(file: Annotated[Path, typer.Argument(help="A file that does not exist yet.")], config: ConfigFile = None) -> int:
    """Copy the state to a new file, complete or not at all. Safe beside `crosswind run`."""
    from engine.config import load_config
    from engine.store.state import State

    with State.open(load_config(config, os.environ).state, create=False) as opened:
        opened.backup(file)
    sys.stderr.write("The state is copied.\n")
    return 0


@state.command()
def check(config: ConfigFile = None) -> int:
    """Check that state and lake know the same batches. Where they do not, says so and exits with 3."""
    from engine.config import load_config
    from engine.pipeline.lasting.state_care import check_age
    from engine.store.lake import Lake
    from engine.store.state import State

    settings = load_config(config, os.environ)
    with State.open(settings.state, create=False) as opened:
        check_age(Lake.open(settings.lake, create=False), opened)
        last, begun = opened.last_batch(), opened.open_plan()
    more = f"; batch {begun.batch} is planned, the next run finishes it" if begun is not None else ""
    sys.stdout.write(f"State and lake fit together: batch {last} is the last{more}.\n")
    return 0


@state.command()
def repair(config: ConfigFile = None) -> int:
    """Bring a state that is older than its lake, such as a restored backup, together with it.

    Rules run again over the events of the batches that the state does not know, and their alerts are stored and delivered. What people noted on
    alerts since the backup is lost. The next run reads again what was collected since then; events that are in the lake are known by their identity.
    """
    from engine.config import load_config
    from engine.pipeline.watch.scheduled import repair_state

    done = repair_state(load_config(config, os.environ), lambda: datetime.now(UTC))
    if done is None:
        sys.stderr.write("State and lake fit together; there was nothing to repair.\n")
        return 0
    found = done.committed
    sys.stderr.write(f"Repaired by batch {done.batch}: {found.created:,} alerts stored, {found.changed:,} changed, {found.ended:,} ended.\n")
    return 0
