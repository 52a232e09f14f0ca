"""What people do with alerts and with incidents: look at what is new, close, assign, note, reopen. The same verbs for both."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TextIO

import typer

from engine.cli.options import Configured, Content, Form, Format, Place, Reason, Status, Verdict, Who, chosen_form, who_is

if TYPE_CHECKING:
    from engine.store.state import State

Uid = Annotated[str, typer.Argument(metavar="UID", help="The one meant, or how its uid begins.")]
Uids = Annotated[list[str], typer.Argument(metavar="UID…", help="Those meant, or how their uids begin.")]


class Kind(Protocol):
    """One kind of thing that people work. ``many`` is its name in sentences; ``name`` what the state calls it."""

    @property
    def many(self) -> str: ...

    @property
    def name(self) -> str: ...

    def uid(self, state: State, start: str) -> str:
        """The whole uid that begins with ``start``. Raises UsageError where there is none, or more than one."""
        ...

    def changed(self, state: State, after: int) -> Sequence[Any]:
        """Those that changed after change ``after``."""
        ...

    def named(self, state: State, uids: Sequence[str]) -> Sequence[Any]:
        """Those with these uids."""
        ...

    def write(self, found: Sequence[Any], form: str, stream: TextIO, *, show_content: bool = False) -> None:
        """Write them as a list."""
        ...


def add_verbs(group: typer.Typer, kind: Kind, *, gone: str, closing: str) -> None:
    """Add the verbs to a command group. ``gone``: what `since` tells of beside new and changed ones; ``closing``: what closing one means."""
    many = kind.many

    @group.command(
        help=f"List what is new or changed, {gone} {many} too: after change NUMBER, or since your last look, which moves forward.\n\n"
        "The last line on standard error names the number for the next time; in NDJSON it is the greatest `sequence`."
    )
    def since(
        number: Annotated[
            int | None, typer.Argument(metavar="[NUMBER]", min=0, help="The change after which to begin. Default: your last look.")
        ] = None,
        who: Who = None,
        show_content: Content = False,
        config: Configured = None,
        place: Place = None,
        form: Form = None,
    ) -> int:
        from engine.cli.opened import open_state
        from engine.documents.destination import open_output

        with open_state(config, place) as state:
            after = number if number is not None else state.last_look(kind.name, who_is(who))
            found = kind.changed(state, after)
            with open_output(None) as stream:
                kind.write(found, chosen_form(form), stream, show_content=show_content)
            reached = max((each.sequence for each in found), default=after)
            if number is None:
                state.look(kind.name, who_is(who), reached)
        sys.stderr.write(f"up to change {reached}\n")
        return 0

    @group.command(help=f"Close {many} with a verdict. {closing}")
    def close(
        uids: Uids,
        verdict: Annotated[Verdict, typer.Option("--verdict", help="What it was.")],
        reason: Reason = None,
        who: Who = None,
        config: Configured = None,
        place: Place = None,
        form: Form = None,
    ) -> int:
        return _change(kind, config, place, uids, form, who_is(who), status=Status.closed.value, verdict=verdict.value, reason=reason)

    @group.command(help=f"Say who works {many}. An open one that has somebody is acknowledged.")
    def assign(
        uids: Uids,
        to: Annotated[str, typer.Option("--to", metavar="NAME", help="Who works it; an empty name for nobody.")],
        who: Who = None,
        config: Configured = None,
        place: Place = None,
        form: Form = None,
    ) -> int:
        return _change(kind, config, place, uids, form, who_is(who), assignee=to)

    @group.command(help="Leave a note.")
    def note(
        uid: Uid,
        text: Annotated[str, typer.Argument(metavar="TEXT", help="The note.")],
        who: Who = None,
        config: Configured = None,
        place: Place = None,
        form: Form = None,
    ) -> int:
        return _change(kind, config, place, [uid], form, who_is(who), note=text)

    @group.command(help=f"Open closed {many} again and take their verdict away. What was said stays in their history.")
    def reopen(uids: Uids, reason: Reason = None, who: Who = None, config: Configured = None, place: Place = None, form: Form = None) -> int:
        return _change(kind, config, place, uids, form, who_is(who), status=Status.open.value, verdict="", reason=reason or "")


def _change(kind: Kind, config: Path | None, place: str | None, uids: list[str], form: Format | None, who: str, **values: str | None) -> int:
    from engine.cli.opened import open_state
    from engine.documents.destination import open_output

    with open_state(config, place) as state:
        whole = list(dict.fromkeys(kind.uid(state, uid) for uid in uids))
        for uid in whole:
            state.set_human(kind.name, uid, who, datetime.now(UTC), **values)
        changed = kind.named(state, whole)
    with open_output(None) as stream:
        kind.write(changed, chosen_form(form), stream)
    return 0
