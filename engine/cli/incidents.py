"""`crosswind incidents …`: list, show, and work incidents."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import Configured, Content, Form, Format, LevelWord, Place, Reason, Status, Verdict, Who, chosen_form, who_is

if TYPE_CHECKING:
    from engine.store.records import StoredIncident
    from engine.store.state import State

incidents = typer.Typer(no_args_is_help=True, help="List, show, assign, note and close the incidents that the alerts of runs amount to.")

Uid = Annotated[str, typer.Argument(metavar="UID", help="The incident, or how its uid begins.")]
Uids = Annotated[list[str], typer.Argument(metavar="UID…", help="Incidents, or how their uids begin.")]
Page = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a page for a browser, with the alerts and their records, too.")]


@incidents.command("list")
def list_(
    min_level: Annotated[LevelWord | None, typer.Option("--min-level", help="Only incidents at or above this level. Default: low.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Incidents that go on at or after: `2026-03-01T08:00:00Z`, `7d`.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Incidents that began before.")] = None,
    status: Annotated[list[Status] | None, typer.Option("--status", help="Only of this status. May be repeated. Default: not closed.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Informational, closed, merged and withdrawn ones too.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many, the worst.")] = None,
    page: Page = None,
    show_content: Content = False,
    config: Configured = None,
    place: Place = None,
    form: Form = None,
) -> int:
    """List incidents, the worst first."""
    from engine.cli.opened import open_state
    from engine.cli.times import parse_time
    from engine.documents.destination import check_outputs, open_output
    from engine.model import Level, State
    from engine.report.incident_rows import by_weight, write_list
    from engine.store.incident_rows import IncidentQuery

    now = datetime.now(UTC)
    check_outputs(report=page)
    chosen = [each.value for each in status or (() if everything else (Status.open, Status.acknowledged))]
    least = Level.of(min_level) if min_level else None if everything else Level.LOW
    query = IncidentQuery(
        start=parse_time(start, now) if start else None,
        end=parse_time(end, now) if end else None,
        states=None if everything else (State.LIVE,),
        min_level=least,
        statuses=chosen or None,
    )
    with open_state(config, place) as state:
        found = by_weight(state.incidents(query))[:limit]
        if page is not None:
            _write_page(state, found, now, page, show_content)
    with open_output(None) as stream:
        write_list(found, chosen_form(form), stream, show_content=show_content)
    return 0


@incidents.command()
def show(uid: Uid, page: Page = None, show_content: Content = False, config: Configured = None, place: Place = None, form: Form = None) -> int:
    """Show an incident: who, what in which order, why it belongs together, how the score came about, what to do, what people did."""
    from engine.cli.opened import open_state
    from engine.documents.destination import check_outputs, open_output
    from engine.report.incident_view import write_view
    from engine.store.alert_rows import AlertQuery
    from engine.store.incident_rows import IncidentQuery
    from engine.store.records import INCIDENT

    check_outputs(report=page)
    with open_state(config, place) as state:
        whole = state.incident_uid(uid)
        (stored,) = state.incidents(IncidentQuery(uids=[whole]))
        alerts = [each.alert for each in state.alerts(AlertQuery(uids=stored.incident.alert_uids))]
        history = state.history(INCIDENT, whole)
        if page is not None:
            _write_page(state, [stored], datetime.now(UTC), page, show_content)
    with open_output(None) as stream:
        write_view(stored, alerts, history, chosen_form(form), stream, show_content=show_content)
    return 0


@incidents.command()
def since(
    number: Annotated[int | None, typer.Argument(metavar="[NUMBER]", min=0, help="The change after which to begin. Default: your last look.")] = None,
    who: Who = None,
    show_content: Content = False,
    config: Configured = None,
    place: Place = None,
    form: Form = None,
) -> int:
    """List what is new or changed, merged and withdrawn ones too: after change NUMBER, or since your last look, which moves forward.

    The last line on standard error names the number for the next time; in NDJSON it is the greatest `sequence`.
    """
    from engine.cli.opened import open_state
    from engine.documents.destination import open_output
    from engine.report.incident_rows import write_list
    from engine.store.incident_rows import IncidentQuery
    from engine.store.records import INCIDENT

    with open_state(config, place) as state:
        after = number if number is not None else state.last_look(INCIDENT, who_is(who))
        found = state.incidents(IncidentQuery(since=after))
        with open_output(None) as stream:
            write_list(found, chosen_form(form), stream, show_content=show_content)
        reached = max((each.sequence for each in found), default=after)
        if number is None:
            state.look(INCIDENT, who_is(who), reached)
    sys.stderr.write(f"up to change {reached}\n")
    return 0


@incidents.command()
def close(
    uids: Uids,
    verdict: Annotated[Verdict, typer.Option("--verdict", help="What it was.")],
    reason: Reason = None,
    who: Who = None,
    config: Configured = None,
    place: Place = None,
    form: Form = None,
) -> int:
    """Close incidents with a verdict. Evidence that comes later opens another incident, which follows the closed one."""
    return _change(config, place, uids, form, who_is(who), status=Status.closed.value, verdict=verdict.value, reason=reason)


@incidents.command()
def assign(
    uids: Uids,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="Who works it; an empty name for nobody.")],
    who: Who = None,
    config: Configured = None,
    place: Place = None,
    form: Form = None,
) -> int:
    """Say who works incidents. An open incident that has somebody is acknowledged."""
    return _change(config, place, uids, form, who_is(who), assignee=to)


@incidents.command()
def note(
    uid: Uid,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note.")],
    who: Who = None,
    config: Configured = None,
    place: Place = None,
    form: Form = None,
) -> int:
    """Leave a note on an incident."""
    return _change(config, place, [uid], form, who_is(who), note=text)


@incidents.command()
def reopen(uids: Uids, reason: Reason = None, who: Who = None, config: Configured = None, place: Place = None, form: Form = None) -> int:
    """Open closed incidents again and take their verdict away. What was said stays in their history."""
    return _change(config, place, uids, form, who_is(who), status=Status.open.value, verdict="", reason=reason or "")


def _change(config: Path | None, place: str | None, uids: list[str], form: Format | None, who: str, **values: str | None) -> int:
    from engine.cli.opened import open_state
    from engine.documents.destination import open_output
    from engine.report.incident_rows import write_list
    from engine.store.incident_rows import IncidentQuery
    from engine.store.records import INCIDENT

    with open_state(config, place) as state:
        whole = list(dict.fromkeys(map(state.incident_uid, uids)))
        for uid in whole:
            state.set_human(INCIDENT, uid, who, datetime.now(UTC), **values)
        changed = state.incidents(IncidentQuery(uids=whole))
    with open_output(None) as stream:
        write_list(changed, chosen_form(form), stream)
    return 0


def _write_page(state: State, found: Sequence[StoredIncident], now: datetime, path: Path, show_content: bool) -> None:
    from engine.model import RunReport
    from engine.report.page.write import write_page
    from engine.store.alert_rows import AlertQuery

    uids = {uid for stored in found for uid in stored.incident.alert_uids}
    alerts = [each.alert for each in state.alerts(AlertQuery(uids=uids))]
    report = RunReport(alerts=len(alerts), notes=("made of what is stored; `crosswind status` tells what was read when",))
    write_page([stored.incident for stored in found], alerts, report, now, path, show_content=show_content)
