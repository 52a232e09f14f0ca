"""`crosswind alerts …`: list, show, and work alerts."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import Configured, Content, Form, Format, LevelWord, Place, Reason, Status, Verdict, Who, chosen_form, who_is

alerts = typer.Typer(no_args_is_help=True, help="List, show, assign, note and close the alerts that runs have found.")


Uid = Annotated[str, typer.Argument(metavar="UID", help="The alert, or how its uid begins.")]
Uids = Annotated[list[str], typer.Argument(metavar="UID…", help="Alerts, or how their uids begin.")]


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


@alerts.command()
def since(
    number: Annotated[int | None, typer.Argument(metavar="[NUMBER]", min=0, help="The change after which to begin. Default: your last look.")] = None,
    who: Who = None,
    show_content: Content = False,
    config: Configured = None,
    place: Place = None,
    form: Form = None,
) -> int:
    """List what is new or changed, superseded and retracted alerts too: after change NUMBER, or since your last look, which moves forward.

    The last line on standard error names the number for the next time; in NDJSON it is the greatest `sequence`.
    """
    from engine.cli.opened import open_state
    from engine.documents.destination import open_output
    from engine.report.alert_list import write_list
    from engine.store.alert_rows import AlertQuery
    from engine.store.records import ALERT

    with open_state(config, place) as state:
        after = number if number is not None else state.last_look(ALERT, who_is(who))
        found = state.alerts(AlertQuery(since=after))
        with open_output(None) as stream:
            write_list(found, chosen_form(form), stream, show_content=show_content)
        reached = max((each.sequence for each in found), default=after)
        if number is None:
            state.look(ALERT, who_is(who), reached)
    sys.stderr.write(f"up to change {reached}\n")
    return 0


@alerts.command()
def close(
    uids: Uids,
    verdict: Annotated[Verdict, typer.Option("--verdict", help="What it was.")],
    reason: Reason = None,
    who: Who = None,
    config: Configured = None,
    place: Place = None,
    form: Form = None,
) -> int:
    """Close alerts with a verdict. They stay closed when new evidence revises them."""
    return _change(config, place, uids, form, who_is(who), status=Status.closed.value, verdict=verdict.value, reason=reason)


@alerts.command()
def assign(
    uids: Uids,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="Who works it; an empty name for nobody.")],
    who: Who = None,
    config: Configured = None,
    place: Place = None,
    form: Form = None,
) -> int:
    """Say who works alerts. An open alert that has somebody is acknowledged."""
    return _change(config, place, uids, form, who_is(who), assignee=to)


@alerts.command()
def note(
    uid: Uid,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note.")],
    who: Who = None,
    config: Configured = None,
    place: Place = None,
    form: Form = None,
) -> int:
    """Leave a note on an alert."""
    return _change(config, place, [uid], form, who_is(who), note=text)


@alerts.command()
def reopen(uids: Uids, reason: Reason = None, who: Who = None, config: Configured = None, place: Place = None, form: Form = None) -> int:
    """Open closed alerts again and take their verdict away. What was said stays in their history."""
    return _change(config, place, uids, form, who_is(who), status=Status.open.value, verdict="", reason=reason or "")


def _change(config: Path | None, place: str | None, uids: list[str], form: Format | None, who: str, **values: str | None) -> int:
    from engine.cli.opened import open_state
    from engine.documents.destination import open_output
    from engine.report.alert_list import write_list
    from engine.store.alert_rows import AlertQuery
    from engine.store.records import ALERT

    with open_state(config, place) as state:
        whole = list(dict.fromkeys(map(state.alert_uid, uids)))
        for uid in whole:
            state.set_human(ALERT, uid, who, datetime.now(UTC), **values)
        changed = state.alerts(AlertQuery(uids=whole))
    with open_output(None) as stream:
        write_list(changed, chosen_form(form), stream)
    return 0
