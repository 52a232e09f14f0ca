"""Component and index templates of the data stream of alerts, and of the indices of the latest states of alerts and incidents."""

from __future__ import annotations

from typing import Any

from engine.documents.ecs import DATASET
from engine.sinks.elastic.incident_mappings import incident_mappings
from engine.sinks.elastic.mappings import VERSION, mappings

MAPPINGS = "crosswind-alert@mappings"
SETTINGS = "crosswind-alert@settings"
INCIDENT_MAPPINGS = "crosswind-incident@mappings"
CUSTOM = "crosswind-alert@custom"
"""Nobody installs it: where it exists its settings and mappings win over ours."""
STREAM_TEMPLATE = "logs-crosswind.alert"
INDEX_TEMPLATE = "crosswind-alerts"
INCIDENT_TEMPLATE = "crosswind-incidents"
_PRIORITY = 300
"""Above the 100 of Elastic's own `logs-*-*` and the 200 of Fleet's."""
_META = {"managed_by": "crosswind", "version": VERSION}


def stream(namespace: str) -> str:
    """The data stream that every alert is in once."""
    return f"logs-{DATASET}-{namespace}"


def index(namespace: str) -> str:
    """The index of the latest state of every alert."""
    return f"crosswind-alerts-{namespace}"


def incident_index(namespace: str) -> str:
    """The index of the latest state of every incident."""
    return f"{INCIDENT_TEMPLATE}-{namespace}"


def component_templates() -> dict[str, dict[str, Any]]:
    """By name, in the order they are put."""
    return {
        MAPPINGS: {"template": {"mappings": mappings()}, "version": VERSION, "_meta": _META},
        INCIDENT_MAPPINGS: {"template": {"mappings": incident_mappings()}, "version": VERSION, "_meta": _META},
        SETTINGS: {
            "template": {"settings": {"index": {"codec": "best_compression", "mapping": {"ignore_malformed": True}}}},
            "version": VERSION,
            "_meta": _META,
        },
    }


def index_templates(retention: str) -> dict[str, dict[str, Any]]:
    """By name. ``retention`` is how long the data stream keeps what is in it, such as ``365d``."""
    common = {
        "composed_of": [MAPPINGS, SETTINGS, CUSTOM],
        "ignore_missing_component_templates": [CUSTOM],
        "priority": _PRIORITY,
        "version": VERSION,
        "_meta": _META,
    }
    return {
        STREAM_TEMPLATE: {
            **common,
            "index_patterns": [f"{STREAM_TEMPLATE}-*"],
            "data_stream": {},
            "template": {"lifecycle": {"enabled": True, "data_retention": retention}},
        },
        INDEX_TEMPLATE: {**common, "index_patterns": [f"{INDEX_TEMPLATE}-*"]},
        INCIDENT_TEMPLATE: {
            **common,
            "composed_of": [INCIDENT_MAPPINGS, SETTINGS, CUSTOM],
            "index_patterns": [f"{INCIDENT_TEMPLATE}-*"],
        },
    }
