"""Which sources a rule runs on, and what its fields are there: record paths of the provider, or common columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache

from engine.errors import UnknownField
from engine.schema import CHANGE, CHANGE_COLUMNS, COLUMNS, Mapping, split_path
from engine.sigma.tree import EVENT_TIME, LogSource

CLOUD_CATEGORIES = (None, "api_activity", "authentication")
AI_CATEGORY = "llm_inference"


class Scope(StrEnum):
    """What the fields of a rule are on a source: the provider's own (`NATIVE`) or common columns alone (`COMMON`)."""

    NATIVE = "native"
    COMMON = "common"


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a Sigma field is found: record ``paths`` (several form one list-valued field), or a common ``column``.

    ``subpath`` is a record path below the JSON text of ``column``, None for the column itself.
    """

    paths: tuple[str, ...] = ()
    column: str | None = None
    subpath: str | None = None


OPEN = Mapping(
    source="",
    title="any records",
    version=1,
    provider=None,
    ai=False,
    tier="",
    delivery=(),
    recognise=(),
    logsources=((None, None, None),),
    closed=(),
    fields=(),
)
"""The mapping of records whose source is not known: every rule runs on it, every field is a record path."""


def applies(logsource: LogSource, mapping: Mapping) -> Scope | None:
    """How a rule with this log source runs on the source of ``mapping``; None: not at all."""
    if (None, None, None) in mapping.logsources:
        return Scope.NATIVE
    if logsource.product == "cloud":
        return Scope.COMMON if logsource.service is None and logsource.category in CLOUD_CATEGORIES else None
    if logsource.product == "ai" or (logsource.product is None and logsource.category == AI_CATEGORY):
        return Scope.COMMON if mapping.ai and _fits_inference(logsource, mapping) else None
    if logsource.product is None and logsource.service is None and all(logsource.category != category for _, _, category in mapping.logsources):
        return None  # a bare category, such as process_creation, must be claimed by name
    return Scope.NATIVE if mapping.runs(logsource.product, logsource.service, logsource.category) else None


def _fits_inference(logsource: LogSource, mapping: Mapping) -> bool:
    claimed = [(service, category) for product, service, category in mapping.logsources if product == "ai"] or [(None, AI_CATEGORY)]
    wanted = (logsource.service, logsource.category)
    return any(all(None in pair or pair[0] == pair[1] for pair in zip(wanted, claim, strict=True)) for claim in claimed)


def resolve(field: str, scope: Scope, mapping: Mapping) -> Resolution:
    """Where ``field`` of a rule stands in events of ``mapping``.

    Native: an alias of the mapping, else a known path, else any path that no closed root forbids, else the common column of that exact name; all but
    columns compare case-insensitively. Common: the column of that exact name, or a path below a JSON column (``x.ai.guardrail.action``).
    `EVENT_TIME` and ``x.change.*`` are the columns ``time`` and of that name of every source that is known.
    Raises UnknownField with suggestions for a field that can never hold a value.
    """
    if field == EVENT_TIME and mapping.source != OPEN.source:
        return Resolution(column="time")
    if field.startswith(CHANGE) and mapping.source != OPEN.source:
        if (found := _column(field)) is None:
            raise UnknownField(f"{field!r} is no column of changes{_did_you_mean(field, CHANGE_COLUMNS)}")
        return found
    if scope is Scope.COMMON:
        found = _column(field)
        if found is None:
            raise UnknownField(f"{field!r} is no common column{_did_you_mean(field, COLUMNS)}")
        return found
    alias = mapping.aliases.get(field.lower())
    if alias is not None:
        return Resolution(paths=tuple(alias))
    path = _spelled(mapping.fields).get(field.lower())
    if path is not None:
        return Resolution(paths=(path,))
    root = _forbidding_root(field.lower(), mapping)
    if root is None:
        return Resolution(paths=(to_path(field),))
    if field in COLUMNS:
        return Resolution(column=field)
    place = f"below {root!r} in {mapping.source}" if root else f"in {mapping.source}"
    raise UnknownField(f"field {field!r} does not exist {place}{_did_you_mean(field, [*mapping.fields, *mapping.aliases, *COLUMNS])}")


def _column(field: str) -> Resolution | None:
    if field in COLUMNS:
        return Resolution(column=field)
    head = field
    while "." in head:
        head = head.rpartition(".")[0]
        if head in COLUMNS:
            return Resolution(column=head, subpath=to_path(field[len(head) + 1 :])) if COLUMNS[head].kind == "json" else None
    return None


def to_path(field: str) -> str:
    """The record path (`engine.schema.split_path`) of a Sigma field, whose dots separate and whose other characters mean themselves."""
    return ".".join(map(_segment, field.split("."))) if field != "$" else '"$"'


def _segment(text: str) -> str:
    if text and '"' not in text:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _dotted(path: str) -> str:
    """A record path as a rule may write it: segments joined by dots, lower case."""
    return ".".join(split_path(path)).lower()


@lru_cache(maxsize=256)
def _spelled(paths: tuple[str, ...]) -> dict[str, str]:
    """``paths`` by what a rule may call them."""
    return {_dotted(path): path for path in paths}


def _forbidding_root(field: str, mapping: Mapping) -> str | None:
    """The closed root below which no member begins ``field`` (lower case); None where nothing forbids it."""
    members = _spelled((*mapping.fields, *mapping.embedded, *(path for paths in mapping.aliases.values() for path in paths)))
    for root in mapping.closed:
        prefix = f"{_dotted(root)}." if root else ""
        if not field.startswith(prefix):
            continue
        rest = field[len(prefix) :]
        if not any(_begins(rest, member[len(prefix) :]) for member in members if member.startswith(prefix)):
            return root
    return None


def _begins(field: str, member: str) -> bool:
    """Whether ``field`` is ``member`` or lies below its first segment, or below all of it where segments have dots themselves."""
    heads = (member.partition(".")[0], member)
    return bool(member) and (field in heads or field.startswith(tuple(f"{head}." for head in heads)))


def _did_you_mean(field: str, names: Iterable[str]) -> str:
    spelled = {name.lower(): name for name in names}
    last = field.lower().rpartition(".")[2]
    near = get_close_matches(field.lower(), spelled, n=3, cutoff=0.7)
    near += [name for name in spelled if name.rpartition(".")[2] == last and name not in near][: 3 - len(near)]
    return f"; did you mean {', '.join(repr(spelled[name]) for name in near)}?" if near else ""
