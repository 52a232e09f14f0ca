"""What the value functions of all clouds share: hostile JSON read as the shapes that are expected, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from connectors.exact import open_embedded

MOST = 20
"""So many names of a list are kept in a value."""
_LONGEST = 200
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"

AI_PORTS = (4000, 7860, 8000, 8265, 8888, 11434)
"""Ports that model servers, gateways and notebooks listen on: LiteLLM, Gradio, vLLM, Ray, Jupyter, Ollama."""
ANYWHERE = frozenset(("0.0.0.0/0", "::/0", "*", "internet", "any", "0.0.0.0", "::"))  # noqa: S104 ranges of rules, nothing is bound


def opened(value: Any) -> dict[str, Any]:
    """The object that ``value`` is or holds as text; {} for anything else."""
    found = open_embedded(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) else {}


def within(value: Any, *names: str) -> Any:
    """The member of a member …, names in any case; None where the way ends."""
    for name in names:
        value = opened(value)
        value = value[name] if name in value else next((item for key, item in value.items() if str(key).lower() == name.lower()), None)
    return None if value == _HIDDEN else value


def items(value: Any) -> Iterator[Any]:
    """The elements of a list, a scalar as one; nothing of None. Lists that EC2 wraps in ``items`` are unwrapped."""
    value = open_embedded(value) if isinstance(value, str) and value[:1] in "[{" else value
    if isinstance(value, dict) and set(value) == {"items"}:
        value = value["items"]
    if isinstance(value, list):
        yield from value
    elif value is not None and value != {}:
        yield value


def text(value: Any) -> str:
    """A text, "" for anything else and for what the provider hides."""
    return value.strip() if isinstance(value, str) and value != _HIDDEN and "***" not in value else ""


def short(value: Any) -> str:
    """`text`, cut."""
    return text(value)[:_LONGEST]


def names(found: Iterable[Any]) -> list[str]:
    """Texts sorted, each once; beyond `MOST` their number stands for the others."""
    kept = sorted({short(each) for each in found} - {""})
    return kept if len(kept) <= MOST else [*kept[:MOST], f"and {len(kept) - MOST} more"]


def truth(value: Any) -> bool | None:
    """True or false, also from their text; None for anything else."""
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).strip().lower())


def word(value: Any, yes: str, no: str) -> bool | None:
    """True for the word ``yes``, False for ``no``, in any case."""
    said = text(value).lower()
    return True if said == yes.lower() else False if said == no.lower() else None


def document(value: Any) -> dict[str, Any] | None:
    """A policy document: an object, its text, or that text encoded for a URL; None where it cannot be read."""
    if isinstance(value, str) and value.lstrip()[:3].lower() in ("%7b", "%20", "%0a"):
        value = unquote(value)
    found = open_embedded(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) and found else None


def open_ports(low: Any, high: Any) -> list[int]:
    """Those of `AI_PORTS` from ``low`` to ``high``; a range that is not there or -1 is all of them."""
    try:
        first, last = int(low if low is not None else -1), int(high if high is not None else -1)
    except (TypeError, ValueError):
        return []
    if first < 0 or last < 0:
        return list(AI_PORTS)
    return [port for port in AI_PORTS if first <= port <= last]


def ports_in(ranges: Iterable[Any]) -> list[int]:
    """Those of `AI_PORTS` in texts such as ``8000``, ``8000-9000`` and ``*``."""
    found: set[int] = set()
    for each in ranges:
        said = str(each).strip()
        low, _, high = said.partition("-")
        found.update(AI_PORTS if said == "*" else open_ports(low, high or low) if low.isascii() and low.isdigit() else ())
    return sorted(found)
