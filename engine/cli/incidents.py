"""`crosswind incidents …`: list, show, and work incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from engine.cli.options import Configured, Content, Form, LevelWord, Place, Status, chosen_form
from engine.cli.verbs import Uid, add_verbs

if TYPE_CHECKING:
    from engine.store.records import StoredIncident
    from engine.store.state import State

incidents = typer.Typer(no_args_is_help=True, help="List, show, assign, note and close the incidents that the alerts of runs amount to.")

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


class _Incidents:
    """Incidents as what people work."""

    many = "incidents"

    @property
    def name(self) -> str:
        from engine.store.records import INCIDENT

        return INCIDENT

    def uid(self, state: State, start: str) -> str:
        return state.incident_uid(start)

    def changed(self, state: State, after: int) -> Sequence[Any]:
        from engine.store.incident_rows import IncidentQuery

        return state.incidents(IncidentQuery(since=after))

    def named(self, state: State, uids: Sequence[str]) -> Sequence[Any]:
        from engine.store.incident_rows import IncidentQuery

        return state.incidents(IncidentQuery(uids=uids))

    def write(self, found: Sequence[Any], form: str, stream: TextIO, *, show_content: bool = False) -> None:
        from engine.report.incident_rows import write_list

        write_list(found, form, stream, show_content=show_content)


add_verbs(
    incidents, _Incidents(), gone="merged and withdrawn", closing="Evidence that comes later opens another incident, which follows the closed one."
)


def _write_page(state: State, found: Sequence[StoredIncident], now: datetime, path: Path, show_content: bool) -> None:
    from engine.model import RunReport
    from engine.report.page.write import write_page
    from engine.store.alert_rows import AlertQuery

    uids = {uid for stored in found for uid in stored.incident.alert_uids}
    alerts = [each.alert for each in state.alerts(AlertQuery(uids=uids))]
    report = RunReport(alerts=len(alerts), notes=("made of what is stored; `crosswind status` tells what was read when",))
    write_page([stored.incident for stored in found], alerts, report, now, path, show_content=show_content)
