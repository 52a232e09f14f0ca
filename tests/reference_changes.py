"""What events changed, worked out the slow and obvious way: for each event, every fact is looked at again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from engine.posture.kinds import KINDS

Fact = dict[str, Any]


def differences(facts: Sequence[Fact]) -> dict[str, dict[str, Any]]:
    """Event uid → its ``x.change.*`` values, of facts each told once."""
    return {uid: _of_event(uid, facts) for uid in {fact["event_uid"] for fact in facts}}


def _of_event(uid: str, facts: Sequence[Fact]) -> dict[str, Any]:
    own = [fact for fact in facts if fact["event_uid"] == uid]
    found: dict[str, Any] = {"known": False} | {name: set() for name in ("fact", "asset", "weaker", "stronger", "lost", "gained", "about")}
    for fact in own:
        earlier = _before(fact, [each for each in facts if _key(each) == _key(fact)])
        if fact["value"] is None or not earlier or earlier[-1]["value"] is None:
            continue
        found["known"] = True
        old, new = earlier[-1]["value"], fact["value"]
        if old == new:
            continue
        kind = fact["fact"]
        found["fact"].add(kind)
        found["asset"].add(fact["asset"])
        found["lost"] |= _members(kind, old) - _members(kind, new)
        found["gained"] |= _members(kind, new) - _members(kind, old)
        found["about"] |= _besides(fact, own, facts)
        before, after = KINDS[kind].measures(json.loads(old)) or {}, KINDS[kind].measures(json.loads(new)) or {}
        down = {f"{kind}.{name}" for name in {*before, *after} if after.get(name, 0) < before.get(name, 0)}
        up = {f"{kind}.{name}" for name in {*before, *after} if after.get(name, 0) > before.get(name, 0)}
        found["weaker"] |= down | ({kind} if down else set())
        found["stronger"] |= up | ({kind} if up and not down else set())
    return found


def _besides(fact: Fact, own: Sequence[Fact], facts: Sequence[Fact]) -> set[str]:
    """What was known of the asset when the event came, apart from what it tells itself."""
    mine = {_key(each) for each in own}
    found: set[str] = set()
    for key in {_key(each) for each in facts if each["asset"] == fact["asset"]} - mine:
        earlier = _before(fact, [each for each in facts if _key(each) == key])
        if earlier and earlier[-1]["value"] is not None:
            found |= _members(key[0], earlier[-1]["value"])
    return found


def _before(fact: Fact, facts: Sequence[Fact]) -> list[Fact]:
    return sorted((each for each in facts if _when(each) < _when(fact)), key=_when)


def _key(fact: Fact) -> tuple[str, str, str]:
    return fact["fact"], fact["asset"], fact["part"]


def _when(fact: Fact) -> tuple[Any, str]:
    return fact["time"], fact["event_uid"]


def _members(name: str, text: str) -> set[str]:
    found: set[str] = set()
    waiting = [(name, json.loads(text))]
    while waiting:
        at, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{at}.{key}", inner) for key, inner in value.items()]
        elif isinstance(value, list):
            found |= {f"{at}:{each}" for each in value}
        elif value is True:
            found.add(at)
        elif value not in (None, "", False) or (value == 0 and value is not False):
            found.add(f"{at}:{value}")
    return found
