"""Which rules correlations mean: references by id, name or title, across files and from correlation to correlation, in dependency order."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.errors import RuleError
from engine.sigma import extended
from engine.sigma.correlation import ALERT_FIELDS, Draft, meaning
from engine.sigma.digest import digest
from engine.sigma.tree import Correlation, Rule, Term


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule or correlation that was refused: what it may be called, and why."""

    names: tuple[str, ...]
    error: RuleError


@dataclass(slots=True)
class _Names:
    """What references may mean: ids, then names, then titles, in lower case."""

    ids: dict[str, Correlation | Rule] = field(default_factory=dict)
    names: dict[str, list[Correlation | Rule]] = field(default_factory=dict)
    titles: dict[str, list[Correlation | Rule]] = field(default_factory=dict)
    refused: dict[str, RuleError] = field(default_factory=dict)

    def add(self, item: Correlation | Rule) -> None:
        self.ids.setdefault(item.uid.lower(), item)
        if item.name:
            self.names.setdefault(item.name.strip().lower(), []).append(item)
        self.titles.setdefault(item.title.strip().lower(), []).append(item)

    def find(self, reference: str) -> tuple[Correlation | Rule, str]:
        """What ``reference`` means and by which of id, name, title. Raises RuleError."""
        key = reference.lower()
        if key in self.ids:
            return self.ids[key], "id"
        for kind, table in (("name", self.names), ("title", self.titles)):
            found = table.get(key, [])
            if len(found) > 1:
                places = ", ".join(f"{each.path}:{each.line}" for each in found[:5])
                raise RuleError(f"{_short(reference)} is the {kind} of {len(found)} rules ({places}); refer to the one you mean by its id")
            if found:
                return found[0], kind
        if key in self.refused:
            raise _because(reference, self.refused[key])
        raise RuleError(f"no rule or correlation has the id, name or title {_short(reference)}; load the file it stands in, or correct the reference")


def _short(reference: str) -> str:
    return repr(reference if len(reference) <= 100 else reference[:97] + "...")


def _because(reference: str, error: RuleError) -> RuleError:
    place = f"{error.path}:{error.line}: " if error.path else ""
    return RuleError(f"refers to {_short(reference)}, which is refused ({place}{error.message})")


Change = Callable[[Correlation], Correlation]
"""What becomes of a correlation whose references are resolved. Raises RuleError."""


def resolve_references(
    drafts: Sequence[Draft], rules: Iterable[Rule], refused: Iterable[Refused] = (), change: Change | None = None
) -> tuple[tuple[Correlation, ...], list[RuleError], list[str]]:
    """The correlations whose references all hold, those referred to first; the errors of the others; notes on references that may not last.

    ``change`` is called with each of them in that order, and what it gives stands for it.
    """
    known = _Names()
    for rule in rules:
        known.add(rule)
    for draft in drafts:
        known.add(draft.correlation)
    for each in refused:
        known.refused.update((name.strip().lower(), each.error) for name in each.names)
    by_uid = {draft.correlation.uid: index for index, draft in enumerate(drafts)}
    errors: dict[int, RuleError] = {}
    notes: list[str] = []
    linked: dict[int, tuple[Draft, list[int]]] = {}
    for index, draft in enumerate(drafts):
        try:
            named = _named(draft, known, notes)
        except RuleError as error:
            errors[index] = draft.refused(error.message, kind=type(error)) if error.line is None else _of(draft, error)
        else:
            linked[index] = (named, [by_uid[uid] for uid in named.correlation.rules if uid in by_uid])
    found = _ordered(drafts, linked, errors, change)
    return tuple(found), [errors[index] for index in sorted(errors)], notes


def _of(draft: Draft, error: RuleError) -> RuleError:
    error.rule, error.path = draft.correlation.title, draft.correlation.path
    return error


# One correlation.


def _named(draft: Draft, known: _Names, notes: list[str]) -> Draft:
    """``draft`` with uids instead of names. Raises RuleError."""
    own = draft.correlation
    uids: dict[str, str] = {}
    by_title: list[str] = []
    for reference in own.rules:
        target, kind = known.find(reference)
        if target.uid in uids.values():
            raise RuleError(f"'rules' lists {_short(target.title)} twice")
        uids[reference] = target.uid
        if kind == "title":
            by_title.append(reference)
    listed = tuple(uids.values())
    aliases = _aliases(draft, known, uids)
    terms = () if draft.formula is None else _terms(draft, draft.formula, known, uids)
    place = f"{own.path}:{own.line}: correlation {own.title!r}"
    if by_title:
        notes.append(f"{place} refers by title to {', '.join(map(_short, by_title[:5]))}; give the rule a name, titles change")
    for alias, targets in aliases:
        if len(targets) < len(listed) and alias in (*own.group_by, *own.fields):
            notes.append(f"{place}: alias {alias!r} stands for no field of {len(listed) - len(targets)} of its rules; their hits take no part")
    resolved = replace(own, rules=listed, aliases=aliases, terms=terms)
    return Draft(replace(resolved, content_hash=digest(meaning(resolved))), draft.formula, draft.section)


def _listed(reference: str, known: _Names, uids: Mapping[str, str]) -> str:
    """The uid of a rule named in an alias or a condition. Raises RuleError when it is not among ``uids``."""
    if reference in uids:
        return uids[reference]
    target, _ = known.find(reference)
    if target.uid not in uids.values():
        raise RuleError(f"{_short(reference)} is not listed in 'rules'")
    return target.uid


def _aliases(draft: Draft, known: _Names, uids: Mapping[str, str]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    found = []
    for alias, targets in draft.correlation.aliases:
        fields: dict[str, str] = {}
        for reference, name in targets:
            try:
                uid = _listed(reference, known, uids)
            except RuleError as error:
                raise draft.refused(f"alias {alias!r}: {error.message}", "aliases") from None
            if uid in fields:
                raise draft.refused(f"alias {alias!r} names the rule {_short(reference)} twice", "aliases")
            fields[uid] = name
        found.append((alias, tuple(fields.items())))
    return tuple(found)


def _terms(draft: Draft, formula: extended.Formula, known: _Names, uids: Mapping[str, str]) -> tuple[Term, ...]:
    try:
        used = {name: _listed(name, known, uids) for name in dict.fromkeys(formula.names())}
        terms = extended.terms(formula, used.__getitem__, tuple(uids.values()))
    except RuleError as error:
        message = error.message if error.message.startswith(("condition", "the condition", "an alternative")) else f"condition: {error.message}"
        raise draft.refused(message, "condition", type(error)) from None
    told = {uid for term in terms for uid in (*term.present, *term.absent)}
    for reference, uid in uids.items():
        if uid not in told:
            why = "does not say" if uid not in used.values() else "does not depend on"
            raise draft.refused(f"the condition {why} {_short(reference)}, which 'rules' lists; use it, or leave it out", "condition")
    return terms


# All of them.


def _ordered(
    drafts: Sequence[Draft], linked: Mapping[int, tuple[Draft, list[int]]], errors: dict[int, RuleError], change: Change | None
) -> list[Correlation]:
    """The correlations that hold, referenced ones first, else in the order of ``drafts``; those that cannot are added to ``errors``."""
    waiting = {index: len(inner) for index, (_, inner) in linked.items()}
    outer: dict[int, list[int]] = {}
    for index, (_, inner) in linked.items():
        for each in inner:
            outer.setdefault(each, []).append(index)
    for cycle in _cycles(linked):
        names = [_called(drafts[index])[:100] for index in (*cycle, cycle[0])]
        way = " → ".join(names if len(names) <= 8 else [*names[:5], f"… {len(names) - 7} more", *names[-2:]])
        errors.update((index, drafts[index].refused(f"correlations refer to each other in a circle: {way}")) for index in cycle)
    ready = [index for index in range(len(drafts)) if index in errors or waiting.get(index) == 0]
    heapq.heapify(ready)
    roots = dict(errors)
    found: dict[str, Correlation] = {}
    result = []
    while ready:
        index = heapq.heappop(ready)
        if index not in errors:
            draft, inner = linked[index]
            broken = next((each for each in inner if each in roots), None)
            try:
                if broken is not None:
                    raise _because(_called(drafts[broken]), roots[broken])
                own = draft.correlation if change is None else change(draft.correlation)
                _check_readable(own, found)
                found[own.uid] = own
                result.append(own)
            except RuleError as problem:
                errors[index] = draft.refused(problem.message)
                roots[index] = errors[index] if broken is None else roots[broken]
        for each in outer.get(index, []):
            waiting[each] -= 1
            if waiting[each] == 0 and each not in errors:
                heapq.heappush(ready, each)
    return result


def _called(draft: Draft) -> str:
    return draft.correlation.name or draft.correlation.title


def _cycles(linked: Mapping[int, tuple[Draft, list[int]]]) -> list[list[int]]:
    """Circles of references that share no correlation, enough to break every circle there is."""
    cycles: list[list[int]] = []
    done: set[int] = set()
    for start in linked:
        path = {start: iter(linked[start][1])} if start not in done else {}
        while path:
            current = next(reversed(path))
            following = next(path[current], None)
            if following is None:
                done.add(current)
                del path[current]
            elif following in path:
                way = list(path)
                cycles.append(way[way.index(following) :])
                for index in cycles[-1]:
                    done.add(index)
                    del path[index]
            elif following in linked and following not in done:
                path[following] = iter(linked[following][1])
    return cycles


def _check_readable(own: Correlation, inner: Mapping[str, Correlation]) -> None:
    """Raises RuleError where ``own`` would read of the alerts of another correlation what these do not have."""
    for uid in own.rules:
        if uid not in inner:
            continue
        has = (*inner[uid].group_by, *ALERT_FIELDS)
        for name in (own.field_of(asked, uid) for asked in (*own.group_by, *own.fields)):
            if name is not None and name not in has:
                grouped = ", ".join(inner[uid].group_by) or "none"
                its = f"the correlation {inner[uid].title!r}, whose alerts have only its group-by fields ({grouped}) and x.alert.*"
                raise RuleError(f"reads {_short(name)} of {its}")
