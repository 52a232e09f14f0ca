"""All commands under one roof, and the one place where errors become a line on standard error and an exit code."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from engine.documents.destination import silence
from engine.documents.escaping import safe_text
from engine.errors import CrosswindError, UsageError
from engine.version import VERSION

DONE, USAGE, FAILED = 0, 2, 3
"""Exit codes that are given here; 1 is for `engine.report.summary.exit_code` to give."""

_INTERRUPTED = 130
"""What the command line library makes of Ctrl-C outside the run itself."""

COMMANDS = {
    "scan": "engine.cli.scan:scan",
    "demo": "engine.cli.demo:demo",
    "events": "engine.cli.events:events",
    "sources": "engine.cli.sources:sources",
    "rules": "engine.cli.rules:rules",
    "config": "engine.cli.config:config",
    "run": "engine.cli.run:run",
    "alerts": "engine.cli.alerts:alerts",
    "incidents": "engine.cli.incidents:incidents",
    "identity": "engine.cli.identity:identity",
    "posture": "engine.cli.posture:posture",
    "hunt": "engine.cli.hunt:hunt",
    "lake": "engine.cli.lake:lake",
    "sinks": "engine.cli.sinks:sinks",
    "status": "engine.cli.status:status",
    "state": "engine.cli.state:state",
    "simulate": "engine.cli.simulate:simulate",
    "schedule": "engine.cli.schedule:schedule",
    "spark": "engine.cli.spark:spark",
}
"""Every command and where it stands; only the one that is asked for is imported."""


class Commands(TyperGroup):
    """The commands by name, each loaded when it is wanted."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        names: Any = dict.fromkeys(COMMANDS)
        self.commands.update(names)  # for suggestions

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
            alone.command(cmd_name)(found)
            command = typer.main.get_command(alone)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="crosswind",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find attacks in raw multi-cloud logs: CloudTrail, Azure, Entra ID, GCP and AI inference logs in, explained alerts out.",
    epilog="Exit codes: 0 done · 1 something at or above --fail-on was found · 2 wrong usage · 3 done, but some input, rule or output failed.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"crosswind {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a full traceback when something goes wrong.")] = False,
) -> None:
    """Options before the command."""
    if debug:
        os.environ["CROSSWIND_DEBUG"] = "1"


def run() -> int:
    """Run the command line; the exit code. Errors meant for people become one line each; a traceback is shown with ``--debug`` alone."""
    try:
        code = app(standalone_mode=False)
    except CrosswindError as error:
        if os.environ.get("CROSSWIND_DEBUG"):
            raise
        sys.stderr.write(f"crosswind: {safe_text(str(error))}\n")
        return USAGE if isinstance(error, UsageError) else FAILED
    except BrokenPipeError:
        return _closed_pipe()
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except (typer.Exit, SystemExit) as stop:
        return int(getattr(stop, "exit_code", None) or getattr(stop, "code", None) or DONE)
    except Exception as error:  # noqa: BLE001 the last net: a usage error of the command line, or a defect of ours
        return _unexpected(error)
    if code == _INTERRUPTED:
        sys.stderr.write("crosswind: interrupted before there was a result\n")
        return FAILED
    return code if isinstance(code, int) else DONE


def _closed_pipe() -> int:
    """Whoever read our output went away: nothing is wrong on our side, but not everything was delivered."""
    silence()
    with suppress(OSError):
        sys.stderr.write("crosswind: whoever read the output went away before all of it was written\n")
    return FAILED


def _unexpected(error: Exception) -> int:
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):
        message = getattr(error, "message", None)
        if isinstance(message, str):
            error.message = message.replace("Value error, ", "")  # type: ignore[attr-defined]  # what the checking library puts before every reason
        show()
        return USAGE
    if os.environ.get("CROSSWIND_DEBUG"):
        raise error
    from engine.documents.redaction import redact_text

    sys.stderr.write(f"crosswind: a defect: {type(error).__name__}: {safe_text(redact_text(str(error)))}\n")
    sys.stderr.write("Run the same command as `crosswind --debug …` and report what it prints.\n")
    return FAILED
