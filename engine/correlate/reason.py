"""The one or two sentences that say why an alert was raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

_LONGEST = 160
_LISTED = 3


def clip(text: str, longest: int = _LONGEST) -> str:
    """``text`` on one line, cut after ``longest`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def lasting(span: timedelta) -> str:
    """``span`` in words, rounded up: ``1 second``, ``4 minutes``, ``26 hours``, ``3 days``."""
    seconds = max(1, -(-span // timedelta(seconds=1)))
    for unit, size, most in (("second", 1, 59), ("minute", 60, 119), ("hour", 3600, 47)):
        number = -(-seconds // size)
        if number <= most:
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"{-(-seconds // 86400)} days"


def listed(values: Sequence[str], total: int, noun: str, first: str | None = None) -> str:
    """``a``, ``a and b``, ``a, b and 4 other nouns``; ``first`` comes first where it is among many."""
    ordered = list(values)
    if first is not None and first in ordered:
        ordered.remove(first)
        ordered.insert(0, first)
    if total <= _LISTED:
        named = [clip(value) for value in ordered[:total]]
        return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    named = [clip(value) for value in ordered[: _LISTED - 1]]
    return f"{', '.join(named)} and {total - len(named)} other {noun}"


def reason(summary: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    """Who did what to which resource from where, how often, and which log said so.

    ``summary`` is a row of `summary.summarise`, ``first`` the alert's first hit. Prompts and answers are never quoted.
    """
    return f"{_deed(summary, first)}. {_witness(summary)}."


def _deed(summary: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    actor = _told(summary, "actor", "actors", first, "actor.user.uid", "actor.user.name") or "An unnamed actor"
    words = [actor]
    key, app = _told(summary, "api_key", "keys", first), _told(summary, "app", "applications", first)
    if key and key != actor:
        words.append(f"with key {key}")
    if app and app != actor and summary["model.n"]:
        words.append(f"through {app}")
    operation = _told(summary, "operation", "operations", first, "api.operation", "x.ai.operation")
    words.append(f"called {operation}" if operation else "acted")
    model, service = _told(summary, "model", "models", first, "ai_model.name"), _told(summary, "service", "services", first, "api.service.name")
    if model:
        words.append(f"on model {model}")
    elif service:
        words.append(f"on {service}")
    resource = _told(summary, "resource", "resources", first) or _told(summary, "resource_name", "resources", first)
    if resource and not model:
        words.append(f"for {resource}")
    source = _told(summary, "ip", "addresses", first, "src_endpoint.ip") or _told(summary, "domain", "callers", first, "src_endpoint.domain")
    if source:
        words.append(f"from {source}")
    text = " ".join(words)
    if summary["count"] > 1:
        text += f", {summary['count']:,} times in {lasting(summary['last_time'] - summary['first_time'])}"
    return text + _failures(summary)


def _failures(summary: Mapping[str, Any]) -> str:
    failed, count = summary["failed"], summary["count"]
    if not failed:
        return ""
    codes = f" ({listed(summary['status_code'], summary['status_code.n'], 'codes')})" if failed == count and summary["status_code.n"] else ""
    if count == 1:
        return f", which failed{codes}"
    return f", {'all' if failed == count else f'{failed:,}'} of them failed{codes}" if failed < count else f", all of which failed{codes}"


def _witness(summary: Mapping[str, Any]) -> str:
    text = f"Logged by {listed(summary['sources'], len(summary['sources']), 'sources')}"
    accounts = summary["account.n"]
    if accounts:
        text += f" in account{'s' if accounts > 1 else ''} {listed(summary['account'], accounts, 'accounts')}"
    return text


def _told(summary: Mapping[str, Any], trait: str, noun: str, first: Mapping[str, Any], *columns: str) -> str | None:
    total = summary[f"{trait}.n"]
    if not total:
        return None
    leading = next((first[name] for name in columns if first.get(name)), None)
    return listed(summary[trait], total, noun, leading)
