"""`crosswind alerts …`: list, show, and work alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from engine.cli.options import Configured, Content, Form, LevelWord, Place, Status, chosen_form
from engine.cli.verbs import Uid, add_verbs

if TYPE_CHECKING:
    from engine.store.state import State

alerts = typer.Typer(no_args_is_help=True, help="List, show, assign, note and close the alerts that runs have found.")


@alerts.command("list")
def list_(
    rule: Annotated[list[str] | None, typer.Option("--rule", metavar="ID", help="Only alerts of this rule. May be repeated.")] = None,
    min_level: Annotated[LevelWord | None, typer.Option("--min-level", help="Only alerts at or above this level.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Alerts with events at or after: `2026-03-01T08:00:00Z`, `7d`.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Alerts with events before.")] = None,
    status: Annotated[list[Status] | None, typer.Option("--status", help="Only alerts of this status. May be repeated. Default: not closed.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Closed, superseded and retracted alerts too.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many, the last changed.")] = None,
    show_content: Content = False,
    config: Configured = None,
    place: Place = None,
    form: Form = None,
) -> int:
    """List alerts, those that changed last at the end."""
    from engine.cli.opened import open_state
    from engine.cli.times import parse_time
    from engine.documents.destination import open_output
    from engine.model import Level, State
    from engine.report.alert_list import write_list
    from engine.store.alert_rows import AlertQuery

    now = datetime.now(UTC)
    chosen = [each.value for each in status or (() if everything else (Status.open, Status.acknowledged))]
    query = AlertQuery(
        rules=rule or None,
        start=parse_time(start, now) if start else None,
        end=parse_time(end, now) if end else None,
        states=None if everything else (State.LIVE, State.OPEN),
        min_level=Level.of(min_level) if min_level else None,
        statuses=chosen or None,
        limit=limit,
        newest=True,
    )
    with open_state(config, place) as state:
        found = state.alerts(query)
    with open_output(None) as stream:
        write_list(found[::-1], chosen_form(form), stream, show_content=show_content)
    return 0


@alerts.command()
def show(uid: Uid, show_content: Content = False, config: Configured = None, place: Place = None, form: Form = None) -> int:
    """Show an alert: what happened, its rule, evidence, response steps, what to ask next, and what people did about it."""
    from engine.cli.opened import open_state
    from engine.documents.destination import open_output
    from engine.report.alert_view import write_view
    from engine.store.alert_rows import AlertQuery
    from engine.store.records import ALERT

    with open_state(config, place) as state:
        whole = state.alert_uid(uid)
        (stored,) = state.alerts(AlertQuery(uids=[whole]))
        history = state.history(ALERT, whole)
    with open_output(None) as stream:
        write_view(stored, history, chosen_form(form), stream, show_content=show_content)
    return 0


class _Alerts:
    """Alerts as what people work."""

    many = "alerts"

    @property
    def name(self) -> str:
        from engine.store.records import ALERT

        return ALERT

    def uid(self, state: State, start: str) -> str:
        return state.alert_uid(start)

    def changed(self, state: State, after: int) -> Sequence[Any]:
        from engine.store.alert_rows import AlertQuery

        return state.alerts(AlertQuery(since=after))

    def named(self, state: State, uids: Sequence[str]) -> Sequence[Any]:
        from engine.store.alert_rows import AlertQuery

        return state.alerts(AlertQuery(uids=uids))

    def write(self, found: Sequence[Any], form: str, stream: TextIO, *, show_content: bool = False) -> None:
        from engine.report.alert_list import write_list

        write_list(found, form, stream, show_content=show_content)


add_verbs(alerts, _Alerts(), gone="superseded and retracted", closing="They stay closed when new evidence revises them.")
