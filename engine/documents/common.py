"""What the document formats share: the product, times and redacted texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from engine.documents.redaction import redact_text
from engine.model import Alert, CloudAccount, EventRef, Level, State

PRODUCT = "crosswind"


@cache
def product_version() -> str:
    """The version of the installed package, ``0`` when it runs from sources that are not installed."""
    try:
        return version(PRODUCT)
    except PackageNotFoundError:
        return "0"


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def milliseconds(moment: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def plain(value: Any) -> Any:
    """``value`` with its times as text, ready for JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def without_empty(document: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` without the members that are None, {} or []; at every depth."""
    cleaned = {}
    for name, value in document.items():
        kept = _without_empty(value) if isinstance(value, (dict, list)) else value
        if kept is not None:
            cleaned[name] = kept
    return cleaned


def _without_empty(value: dict[str, Any] | list[Any]) -> dict[str, Any] | list[Any] | None:
    """None where nothing is left of it."""
    if isinstance(value, dict):
        return without_empty(value) or None
    items = (_without_empty(item) if isinstance(item, (dict, list)) else item for item in value)
    return [item for item in items if item is not None] or None


def is_active(alert: Alert) -> bool:
    """Whether the alert stands and asks for attention: not retracted or superseded, and above informational."""
    return alert.state in (State.LIVE, State.OPEN) and alert.level > Level.INFORMATIONAL


def clean(alert: Alert, show_content: bool) -> Alert:
    """``alert`` without credentials in what names its events and accounts: ids and operations are texts a caller may choose."""
    if show_content:
        return alert
    cloud = tuple(map(_clean_cloud, alert.cloud))
    events = tuple(map(_clean_event, alert.events))
    uids = tuple(map(redact_text, alert.event_uids))
    if (cloud, events, uids) == (alert.cloud, alert.events, alert.event_uids):
        return alert  # as nearly always, and a copy of so large a class takes long
    return replace(alert, cloud=cloud, events=events, event_uids=uids)


def _clean_cloud(cloud: CloudAccount) -> CloudAccount:
    account = redact_text(cloud.account) if cloud.account else None
    return cloud if account == cloud.account else replace(cloud, account=account)


def _clean_event(event: EventRef) -> EventRef:
    uid, operation = redact_text(event.uid), redact_text(event.operation) if event.operation else None
    return event if (uid, operation) == (event.uid, event.operation) else replace(event, uid=uid, operation=operation)


def shown(text: str, show_content: bool) -> str:
    """``text`` without credentials, unless everything is to be shown."""
    return text if show_content else redact_text(text)
