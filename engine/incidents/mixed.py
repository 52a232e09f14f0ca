"""Alerts that only an address holds together, where that address is one that many share."""

from __future__ import annotations

import ipaddress

import polars as pl

from engine.incidents.clock import Ordered
from engine.incidents.hubs import known_hub, shared_ways
from engine.incidents.windows import TIGHT
from engine.model import Alert, AlertKind

_WHO = ("user", "email", "credential", "session", "resource")


def mixed(ordered: Ordered, sightings: pl.DataFrame) -> dict[int, str]:
    """The correlated alerts (by index) that only an address holds together, which many share, and what is to be said of each.

    Their group is the address alone, and their events are of several identities and last longer than `TIGHT`: they may be of people who have nothing
    to do with each other, so such an alert joins by its first event alone.
    """
    asked = {index: f"ip:{address}" for index, alert in enumerate(ordered.alerts) if (address := _held_by(alert))}
    if not asked:
        return {}
    days = pl.DataFrame({"alert": list(asked), "key": list(asked.values())}, schema={"alert": pl.Int64(), "key": pl.String()})
    days = days.with_columns(day=ordered.day[list(asked)])
    many = shared_ways(days.select("key", "day").unique(), sightings)
    shared = dict(days.join(many, on=["key", "day"]).select("alert", "identities").iter_rows())
    told = {index: f"was used by {n} identities in the 30 days before and that day" for index, n in shared.items()}
    told |= {index: why for index, key in asked.items() if (why := known_hub(key))}
    return {
        index: f"{ordered.alerts[index].rule.title} joins by its first event alone: {asked[index]} holds it together, and {why}"
        for index, why in sorted(told.items())
    }


def _held_by(alert: Alert) -> str | None:
    """The address that holds together what several did; None where they share anything that is somebody's."""
    if alert.kind is not AlertKind.CORRELATION or len(alert.principals) == 1 or alert.last_time - alert.first_time <= TIGHT:
        return None
    named = {each.value for each in alert.entities if each.type in _WHO}
    found = None
    for _, value in alert.group:
        try:
            found = str(ipaddress.ip_address(value))
        except ValueError:
            if value in named:
                return None
    return found
