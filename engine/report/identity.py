"""What is known of identities, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from engine.documents.common import shown, timestamp
from engine.documents.escaping import safe_text
from engine.documents.output import json_line
from engine.identity.chain import Account, Step


def write_identities(accounts: Sequence[Account], form: str, stream: TextIO, *, show_content: bool = False) -> None:
    """Write what is known of each identity: text, or a line of JSON each. Credentials inside values are redacted unless ``show_content``."""
    for number, each in enumerate(accounts):
        if form == "json":
            stream.write(json_line(document(each, show_content=show_content)) + "\n")
        else:
            lines = [*([""] if number else []), *_lines(each, show_content)]
            stream.write("".join(f"{safe_text(line)}\n" for line in lines))


def document(account: Account, *, show_content: bool = False) -> dict[str, Any]:
    """One identity as plain values."""
    return {
        "entity": shown(account.entity, show_content),
        "at": timestamp(account.at),
        "principal": shown(account.principal, show_content),
        "strength": account.strength,
        "spoofable": account.spoofable,
        "contested": account.contested,
        "account": account.account,
        "origins": [_step(step, show_content) for step in account.origins],
        "evidence": [_step(step, show_content) for step in account.evidence],
        "evidence_count": account.evidence_count,
        "made": [_step(step, show_content) for step in account.made],
        "made_count": account.made_count,
    }


def _step(step: Step, show_content: bool) -> dict[str, Any]:
    return {
        "depth": step.depth,
        "kind": step.kind,
        "meaning": step.meaning,
        "child": shown(step.child, show_content),
        "parent": shown(step.parent, show_content),
        "time": timestamp(step.time),
        "until": timestamp(step.until) if step.until else None,
        "strength": step.strength,
        "spoofable": step.spoofable,
        "source": step.source,
        "event_uid": step.event_uid,
    }


def _lines(account: Account, show_content: bool) -> Iterator[str]:
    told = document(account, show_content=show_content)
    yield told["entity"]
    if account.account:
        yield f"  a key of account {account.account}, as the key id tells"
    if account.contested:
        yield f"  at {told['at']} its evidence leads to different identities, so the chain ends at {told['principal']}"
    elif account.origins:
        doubt = "; whoever acted chose one of the texts this rests on" if account.spoofable else ""
        yield f"  at {told['at']} it was {told['principal']} ({account.strength} evidence{doubt})"
    else:
        yield f"  at {told['at']} nothing leads further back"
    yield from _section("where it came from", [_back(step) for step in told["origins"]], len(told["origins"]))
    yield from _section("what else is told of it", [_other(step) for step in told["evidence"]], account.evidence_count)
    yield from _section("what came from it", [_forth(step) for step in told["made"]], account.made_count)


def _section(title: str, blocks: Sequence[Sequence[str]], count: int) -> Iterator[str]:
    if not blocks:
        return
    yield ""
    yield f"  {title}"
    for block in blocks:
        yield from (f"    {line}" for line in block)
    if count > len(blocks):
        yield f"    and {count - len(blocks):,} more; `--format json` with --at or a narrower input shows others"


def _back(step: dict[str, Any]) -> list[str]:
    return [f"{step['depth']}. {step['parent']}", f"   {_proof(step)}"]


def _forth(step: dict[str, Any]) -> list[str]:
    indent = "  " * (step["depth"] - 1)
    return [f"{indent}{step['child']}", f"{indent}   {_proof(step)}"]


def _other(step: dict[str, Any]) -> list[str]:
    return [f"{step['child']} - {step['parent']}", f"   {_proof(step)}"]


def _proof(step: dict[str, Any]) -> str:
    until = f" until {step['until']}" if step["until"] else ""
    doubt = ", spoofable" if step["spoofable"] else ""
    return f"{step['meaning']} ({step['strength']}{doubt}): {step['time']}{until}, {step['source']} {step['event_uid']}"
