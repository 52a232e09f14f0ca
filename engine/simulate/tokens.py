"""Temporary credentials end: who goes on after an hour does so with new ones, and leaves the records of getting them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from engine.simulate.native.aws import AwsCaller
from engine.simulate.native.azure import AzureCaller
from engine.simulate.native.gcp import GcpCaller

Caller = TypeVar("Caller", AwsCaller, AzureCaller, GcpCaller)
Any = AwsCaller | AzureCaller | GcpCaller
LIFE = timedelta(minutes=55)


def _name(who: Any) -> str:
    """What tells one credential from the next."""
    if isinstance(who, AwsCaller):
        return str(who.identity.get("accessKeyId", ""))
    if isinstance(who, AzureCaller):
        return who.sign_in
    return f"{who.subject}|{'|'.join(who.delegation)}"


@dataclass(slots=True)
class Tokens:
    """Every temporary credential of a campaign: until when it holds, and how to get the next."""

    _held: dict[str, tuple[datetime, Callable[[], Any]]] = field(default_factory=dict)
    _next: dict[str, Any] = field(default_factory=dict)

    def hold(self, who: Any, since: datetime, renew: Callable[[], Any]) -> None:
        """``who`` got a credential at ``since``; ``renew`` makes the records of getting another and returns who acts with it."""
        self._held[_name(who)] = (since + LIFE, renew)

    def fresh(self, who: Caller, now: Callable[[], datetime]) -> Caller:
        """``who``, or when the credential has ended, who acts with the next one from the same place and client."""
        name = _name(who)
        while name in self._next:
            name = _name(self._next[name])
        until, renew = self._held.get(name, (None, None))
        if until is not None and renew is not None and now() > until:
            made = renew()
            if _name(made) != name:
                self._next[name] = made
            return _like(who, made)
        return who if name == _name(who) else _like(who, next(one for one in self._next.values() if _name(one) == name))


def _like(who: Caller, made: Any) -> Caller:
    if type(made) is not type(who):
        raise TypeError(f"a {type(made).__name__} cannot take the place of a {type(who).__name__}")
    if isinstance(made, AzureCaller):
        return replace(made, ip=who.ip)
    return replace(made, ip=who.ip, agent=who.agent)
