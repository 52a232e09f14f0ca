"""Mappings as a configuration wants them."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import replace
from datetime import timedelta

from connectors.sources import load_mappings
from engine.config import Config
from engine.schema import Mapping

_MINUTE = timedelta(minutes=1)


def mappings_of(config: Config) -> AnyMapping[str, Mapping]:
    """Every mapping by source name; where configured sources say what they hold and how late it may come, the greatest of these latenesses holds."""
    mappings = load_mappings()
    own: dict[str, int] = {}
    for source in config.sources:
        if source.source is not None and source.source in mappings and source.lateness is not None:
            own[source.source] = max(own.get(source.source, 0), -(-source.lateness // _MINUTE))
    return {name: replace(mapping, lateness_minutes=own.get(name, mapping.lateness_minutes)) for name, mapping in mappings.items()}
