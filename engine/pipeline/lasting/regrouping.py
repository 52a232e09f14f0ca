"""What a batch changes about incidents: those its alerts, events and identity edges may touch, worked out again from all that stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from engine.incidents.hubs import HISTORY_DAYS
from engine.incidents.participants import participants
from engine.incidents.windows import EVENT, WINDOWS
from engine.model import Alert, Incident
from engine.pipeline.incidents import by_evidence, told_by_alerts
from engine.pipeline.lasting.lake_identities import edges_about, facts_of_lake, sightings_about
from engine.schema import Mapping as SourceMapping
from engine.sigma.ruleset import RuleSet
from engine.store.incident_rows import Around
from engine.store.lake import Lake

StandingAlerts = Callable[[datetime], Iterable[Alert]]
"""The alerts that stand after the batch and last until a moment or longer."""

Work = Callable[[Sequence[Alert]], list[Incident]]
"""The kernel, with all that is known beside alerts."""

_REACH = max(WINDOWS.values())
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Regrouped:
    """What stands in the place of all standing incidents of ``components``."""

    incidents: tuple[Incident, ...] = ()
    components: Collection[str] = ()


def regroup(low: datetime, standing: StandingAlerts, around: Callable[[datetime], Around], work: Work) -> Regrouped:
    """The incidents that may differ because of something that happened at ``low`` or later, as they are now.

    What an alert, a sighting or an edge says about keys holds from its day on, and joins reach one window further back. All that hangs together with
    what lies there is worked out as a whole, and read with it are the days before that tell hubs. The rest stands as it is: it shares no join with
    anything that may have changed.
    """
    since = _day_of(low) - _REACH
    found = around(since)
    first = min(since, found.first or since)
    alerts = list(standing(_day_of(first) - HISTORY_DAYS * _DAY))
    touched = found.alerts | {alert.uid for alert in alerts if alert.last_time >= since}
    made = work(alerts)
    components = {incident.component for incident in made if not touched.isdisjoint(incident.alert_uids)}
    return Regrouped(tuple(incident for incident in made if incident.component in components), found.components)


def stored_incidents(alerts: Sequence[Alert], ruleset: RuleSet, mappings: Mapping[str, SourceMapping], lake: Lake) -> list[Incident]:
    """The incidents of ``alerts``, by what the lake knows of those they name; nothing else is read from it."""
    if not alerts:
        return []
    told = list(told_by_alerts(alerts, mappings))
    parts = participants(alerts)
    acting = pl.concat([parts.filter(pl.col("role") == "actor")["entity"], *(each["parent"].rename("entity") for each in told)])
    events = parts.filter(pl.col("role") == "event")["entity"].str.strip_prefix(f"{EVENT}:")
    places = parts.filter(pl.col("role").is_in(["ip", "agent"]))["entity"]
    first, last = min(each.first_time for each in alerts), max(each.first_time for each in alerts)
    seen, totals = sightings_about(lake, places, first, last)
    return by_evidence(alerts, ruleset, [*told, *edges_about(lake, acting, events)], seen, [facts_of_lake(lake)], totals)


def _day_of(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
