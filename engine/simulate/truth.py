"""The ground truth of a simulation: which events belong to which campaign and stage, who was behind them, which identities cross clouds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from engine.simulate.company import Company
from engine.simulate.native.entries import Entry

NAME = "truth.json"
BY_BEHAVIOUR = frozenset(("same_actor", "same_name", "same_bytes", "same_provider", "secret_found", "key_found"))
"""Kinds of links that no field of any record states: only what the actor does, and from where, shows them."""


@dataclass(frozen=True, slots=True)
class Link:
    """One identity becomes another in a campaign: ``child`` acts for ``parent`` (``type:value`` texts), proved by ``event_uids``.

    ``clouds`` are those of parent and child; a link whose two differ is a cross-cloud link.
    """

    kind: str
    parent: str
    child: str
    clouds: tuple[str, str]
    event_uids: tuple[str, ...]


@dataclass(slots=True)
class Stage:
    """One step of a campaign. ``components`` are ids of the catalogue of detections it plays."""

    name: str
    components: tuple[str, ...]
    tags: tuple[str, ...]
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Told:
    """What one campaign, or one decoy (``attack`` false), really was."""

    uid: str
    title: str
    attack: bool
    pace: str
    variations: list[str] = field(default_factory=list)
    actor: str = ""
    principals: dict[str, list[str]] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)


def principals(company: Company) -> list[dict[str, Any]]:
    """People and workloads with every identifier that stays the same."""
    found: list[dict[str, Any]] = []
    for person in company.people:
        known = [f"email:{person.upn}", f"entra.object:{person.oid}", f"aws.user:{person.arn}", f"aws.key:{person.aws_key}"]
        found.append(
            {"name": person.upn, "kind": "person", "entities": [*known, f"gcp.principal:user:{person.upn}", f"ai.key:{person.litellm_hash}"]}
        )
    for user in company.users:
        found.append(_workload(user.name, f"aws.user:arn:aws:iam::{user.account}:user/{user.name}", f"aws.key:{user.key}"))
    found += [_workload(f"{role.account}/{role.name}", f"aws.role:{role.arn}") for role in (*company.tasks, *company.staff_roles.values())]
    found += [_workload(sp.name, f"entra.object:{sp.oid}", f"entra.app:{sp.app_id}") for sp in company.principals]
    found += [_workload(mi.name, f"entra.object:{mi.oid}", f"azure.resource:{mi.resource}") for mi in company.identities]
    found += [_workload(sa.email, f"gcp.account:{sa.email}", f"gcp.key:{sa.key}") for sa in company.service_accounts]
    return found


def _workload(name: str, *entities: str) -> dict[str, Any]:
    return {"name": name, "kind": "workload", "entities": list(entities)}


def _stage(number: int, stage: Stage, missing: set[str]) -> dict[str, Any]:
    entries = sorted(stage.entries, key=lambda entry: (entry.time, entry.uid))
    uids = list(dict.fromkeys(entry.uid for entry in entries))
    return {
        "stage": number,
        "name": stage.name,
        "components": stage.components,
        "tags": stage.tags,
        "first_time": _text(entries[0].time),
        "last_time": _text(entries[-1].time),
        "sources": sorted({entry.source for entry in entries}),
        "events": len(uids),
        "delivered": sum(uid not in missing for uid in uids),
    }


def _campaign(told: Told, missing: set[str]) -> dict[str, Any]:
    return {
        "campaign": told.uid,
        "title": told.title,
        "attack": told.attack,
        "pace": told.pace,
        "variations": told.variations,
        "actor": told.actor,
        "principals": [{"name": name, "entities": sorted(set(entities))} for name, entities in told.principals.items()],
        "resources": told.resources,
        "stages": [_stage(number, stage, missing) for number, stage in enumerate(told.stages, 1)],
        "links": [
            {
                "kind": link.kind,
                "parent": link.parent,
                "child": link.child,
                "proof": "behaviour" if link.kind in BY_BEHAVIOUR else "identity",
                "clouds": link.clouds,
                "cross_cloud": link.clouds[0] != link.clouds[1],
                "event_uids": link.event_uids,
                "delivered": not set(link.event_uids) & missing,
            }
            for link in told.links
        ],
    }


def _text(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%S.%fZ}"


def document(
    about: Mapping[str, Any], told: Iterable[Told], company: Company, records: Mapping[str, int], dark: Mapping[str, str], missing: set[str]
) -> dict[str, Any]:
    """The truth as one JSON document; events that were not delivered are left out of ``events`` and counted in their stage."""
    ordered = sorted(told, key=lambda one: one.uid)
    events = {
        entry.uid: {"campaign": one.uid, "stage": number, "source": entry.source}
        for one in ordered
        for number, stage in enumerate(one.stages, 1)
        for entry in stage.entries
        if entry.uid not in missing
    }
    return {
        **about,
        "records": dict(sorted(records.items())),
        "switched_off": dict(sorted(dark.items())),
        "campaigns": [_campaign(one, missing) for one in ordered],
        "events": events,
        "principals": principals(company),
    }


def save(told: Mapping[str, Any], path: Path) -> None:
    path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
