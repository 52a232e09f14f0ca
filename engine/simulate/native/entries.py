"""One record of one log, as the generator hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of one log. ``route`` says which delivery folder it belongs to, ``published`` when the provider could deliver it.

    ``uid`` is the event's identity as the engine computes it.
    """

    source: str
    uid: str
    time: datetime
    published: datetime
    record: Record
    route: tuple[str, ...] = ()
