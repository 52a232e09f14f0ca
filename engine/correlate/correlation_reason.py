"""The sentence that says why a correlation fired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from engine.correlate.reason import clip
from engine.sigma.tree import BoundOperator, Correlation, CorrelationType

_WORDS = {
    BoundOperator.GTE: "at least {}",
    BoundOperator.GT: "more than {}",
    BoundOperator.LTE: "at most {}",
    BoundOperator.LT: "fewer than {}",
    BoundOperator.EQ: "exactly {}",
    BoundOperator.NEQ: "not {}",
}
_LISTED = 4
_UNITS = (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def sentence(
    correlation: Correlation, value: float | None, group: Sequence[tuple[str, str]], titles: Mapping[str, str], brought: Sequence[str]
) -> str:
    """What was measured, in which hits, against what was asked.

    ``titles``: uid → title of what the correlation refers to; ``brought``: titles of the rules whose hits are its evidence.
    """
    told = [titles.get(uid, uid) for uid in correlation.rules] if correlation.type.value.startswith("temporal") else brought
    names = [f"“{clip(title)}”" for title in told]
    about = f" for {', '.join(f'{name} {clip(text)}' for name, text in group)}" if group else ""
    return f"{_measured(correlation, value, names, titles)}{about}{_asked(correlation)}"


def _measured(correlation: Correlation, value: float | None, names: Sequence[str], titles: Mapping[str, str]) -> str:
    of = f" in hits of {_joined(names, 'or')}"
    field = " and ".join(correlation.fields)
    number = _number(value)
    match correlation.type:
        case CorrelationType.EVENT_COUNT:
            return f"{number} event{'' if value == 1 else 's'}{of}"
        case CorrelationType.VALUE_COUNT:
            return f"{number} distinct {field}{of}"
        case CorrelationType.VALUE_SUM:
            return f"{field} adds up to {number}{of}"
        case CorrelationType.VALUE_AVG:
            return f"{field} is {number} on average{of}"
        case CorrelationType.VALUE_MEDIAN:
            return f"{field} has the median {number}{of}"
        case CorrelationType.VALUE_PERCENTILE:
            return f"{field} has the {correlation.percentile:g}th percentile {number}{of}"
        case _ if correlation.terms:
            return " or ".join(_term(term.present, term.absent, correlation, titles) for term in correlation.terms)
        case CorrelationType.TEMPORAL_ORDERED:
            return f"{number} of these in order: {', then '.join(names)}"
        case _:
            return f"{number} of these together: {_joined(names, 'and')}"


def _term(present: Sequence[str], absent: Sequence[str], correlation: Correlation, titles: Mapping[str, str]) -> str:
    link = ", then " if correlation.type is CorrelationType.TEMPORAL_ORDERED else " and "
    text = link.join(f"“{clip(titles.get(uid, uid))}”" for uid in present)
    return text + "".join(f", without “{clip(titles.get(uid, uid))}”" for uid in absent)


def _asked(correlation: Correlation) -> str:
    span = within(correlation.timespan)
    if correlation.terms or (correlation.type.value.startswith("temporal") and len(correlation.bounds) == 1):
        return f", within {span}"
    bounds = " and ".join(_WORDS[bound.operator].format(_number(bound.number)) for bound in correlation.bounds)
    return f" (asked: {bounds} within {span})"


def within(span: timedelta) -> str:
    """A timespan in its largest whole unit: ``10 minutes``, ``1 day``."""
    seconds = int(span.total_seconds())
    for unit, size in _UNITS:
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"


def _number(value: float | None) -> str:
    if value is None:
        return "some"
    return f"{int(value):,}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:,.6g}"


def _joined(names: Sequence[str], word: str) -> str:
    if len(names) > _LISTED:
        names = [*names[: _LISTED - 1], f"{len(names) - _LISTED + 1} other rules"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
