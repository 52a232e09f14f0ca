"""Hashes of what loaded documents mean, the same wherever and however they were written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Any


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(_canonical(value), separators=(",", ":"), sort_keys=True).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """``value`` as JSON that two values share only when they mean the same."""
    if is_dataclass(value):
        return {type(value).__name__: [_canonical(getattr(value, each.name)) for each in fields(value)]}
    if isinstance(value, Enum):
        return {type(value).__name__: value.value}
    if isinstance(value, (IPv4Network, IPv6Network)):
        return {"network": str(value)}
    if isinstance(value, timedelta):
        return {"seconds": value.total_seconds()}
    if isinstance(value, date):
        return {"time": value.isoformat()}
    if isinstance(value, (list, tuple)):
        return [_canonical(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _canonical(each) for key, each in value.items()}
    return value
