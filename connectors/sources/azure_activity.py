"""What a table cannot say about Azure Activity records: their identity, and what hides in ids, claims and PIM's caller list."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import orjson
import polars as pl

from connectors.cells import unquoted
from connectors.exact import open_embedded
from connectors.sources.entra_signin import guid
from connectors.values import email, is_empty, text

_SUBSCRIPTION = re.compile(r"(?:^|/)subscriptions/([^/]+)", re.IGNORECASE)
_INEXACT = r"[\[:,]-?[0-9]+(?:\.[0-9]|[eE][-+]?[0-9]|[0-9]{18})[0-9.eE+-]*[,}\]]"
"""A number that is written in more than one way."""
_FAILED = frozenset(("failure", "failed", "error"))


def uid(
    data_id: Any, sdk_id: Any, time: Any, resource: Any, operation: Any, correlation: Any, result: Any, signature: Any, properties: Any
) -> str | None:
    """The provider's event id; the diagnostic shape has none and is known by what it says. None where there is no time to tell records apart."""
    given = next((item for item in (data_id, sdk_id) if isinstance(item, str) and not is_empty(item)), None)
    if given is not None or is_empty(time):
        return given
    operation = text(operation) or ""
    key = [text(time), _lower(resource), operation.lower(), text(correlation), text(result), text(signature), _opened(properties)]
    digest = sha256(json.dumps(key, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{text(correlation) or ''}|{operation}|{text(time)}|{digest}"


def usual_uid(
    data_id: pl.Series,
    sdk_id: pl.Series,
    time: pl.Series,
    resource: pl.Series,
    operation: pl.Series,
    correlation: pl.Series,
    result: pl.Series,
    signature: pl.Series,
    properties: pl.Series,
) -> pl.Series:
    """`uid` of diagnostic records whose ``properties`` are an object without fractions; of others the provider's event id where it is a text."""
    names = ("time", "resource", "operation", "correlation", "result", "signature")
    cells = pl.DataFrame(
        [series.alias(name) for name, series in zip(names, (time, resource, operation, correlation, result, signature), strict=True)]
    )
    texts = [unquoted(cells[name]).alias(f"{name}_text") for name in names]
    keys = cells.hstack([*texts, unquoted(data_id).alias("given"), (data_id.is_null() & sdk_id.is_null()).alias("none_given")]).select(
        "given",
        pl.when("none_given").then(pl.concat_str(*(_key_part(name) for name in names), separator=",")).alias("key"),
        pl.concat_str(pl.col("correlation_text").fill_null(""), "operation_text", "time_text", separator="|").alias("shown"),
    )
    plain = properties.to_frame("p").select(pl.when(~pl.col("p").str.contains(_INEXACT)).then("p"))["p"]
    made = [
        given if key is None or shown is None or (canonical := _canonical(said)) is None else f"{shown}|{_digest(key, canonical)}"
        for (given, key, shown), said in zip(keys.iter_rows(), plain.to_list(), strict=True)
    ]
    return pl.Series("x.uid", made, dtype=pl.String)


def _key_part(name: str) -> pl.Expr:
    """A text as `uid` hashes it: the cell itself, in lower case for names Azure spells both ways; null where that is not all there is to it."""
    cell, text = pl.col(name), pl.col(f"{name}_text")
    if name not in ("resource", "operation"):
        return pl.when(text.is_not_null()).then(cell).when(cell.is_null() & (name != "time")).then(pl.lit("null"))
    return pl.when(text.is_not_null() & (cell.str.len_bytes() == cell.str.len_chars())).then(cell.str.to_lowercase())


def _canonical(cell: str | None) -> bytes | None:
    """An object as `uid` hashes it: compact, keys in order."""
    try:
        return orjson.dumps(orjson.loads(cell), option=orjson.OPT_SORT_KEYS) if cell is not None and cell.startswith("{") else None
    except (orjson.JSONDecodeError, TypeError):
        return None


def _digest(key: str, properties: bytes) -> str:
    return sha256(b"[" + key.encode() + b"," + properties + b"]").hexdigest()[:16]


def _lower(value: Any) -> str:
    return (text(value) or "").lower()


def _opened(value: Any) -> Any:
    return open_embedded(value) if isinstance(value, str) else value


def tenant(given: Any, sdk: Any, pim: Any, column: Any, hierarchy: Any, generated: Any) -> str | None:
    """The tenant of the subscription. ``TenantId`` of a Log Analytics row is the workspace: there the hierarchy names it, as it does elsewhere."""
    choices = [sdk, pim, _root(column), _root(hierarchy)]
    if is_empty(generated):
        choices.insert(0, given)
    return next((item for item in choices if isinstance(item, str) and not is_empty(item)), None)


def _root(hierarchy: Any) -> str | None:
    """The first of several levels ``<tenant>/<group>/…/<subscription>``; a single level is the subscription alone."""
    if not isinstance(hierarchy, str) or "/" not in hierarchy:
        return None
    return hierarchy.split("/")[0] or None


def subscription(value: Any) -> str | None:
    """The subscription in a resource id, lower-cased, or the id itself where it stands alone."""
    if not isinstance(value, str):
        return None
    match = _SUBSCRIPTION.search(value)
    if match:
        return match[1].lower()
    return None if "/" in value else value.lower()


def _suffix(operation: Any) -> str | None:
    return operation.rsplit("/", 1)[1].lower() if isinstance(operation, str) and "/" in operation else None


def activity(operation: Any) -> int | None:
    """The OCSF activity by the last part of the operation. ``write`` creates or updates: which of them the name does not tell, so Update."""
    return {"read": 2, "write": 3, "delete": 4}.get(_suffix(operation) or "", 99) if isinstance(operation, str) else None


def reads(operation: Any) -> bool | None:
    """Whether the operation ends in ``/read``."""
    return _suffix(operation) == "read" if isinstance(operation, str) else None


def outcome(value: Any) -> str | None:
    """The first word of a result, lower-cased: ``Succeeded.`` → succeeded, ``Failed.NotFound`` → failed. Started, Accepted, Active are neither."""
    return re.split(r"[.\s(]", value.strip().lower())[0] if isinstance(value, str) else text(value)


def error(result: Any, status: Any, column: Any, code: Any, status_code: Any, signature: Any, sub_status: Any) -> str | None:
    """The error code of a failed operation, the most precise one the record holds."""
    said = next((item for item in (result, status, column) if not is_empty(item)), None)
    if outcome(said) not in _FAILED:
        return None
    return next((str(item) for item in (code, status_code, signature, sub_status, said) if isinstance(item, str) and not is_empty(item)), None)


def service(provider: Any, sdk: Any, column: Any, rest_operation: Any, operation: Any, pim: Any) -> str | None:
    """The resource provider: named, else the first part of the operation."""
    for item in (provider, sdk, column):
        if isinstance(item, str) and not is_empty(item):
            return item
    for item in (rest_operation, operation):
        if isinstance(item, str) and "/" in item:
            return item.split("/")[0]
    return pim if isinstance(pim, str) else None


def resource_type(value: Any) -> str | None:
    """``provider/type[/type…]`` of a resource id: its last provider and the names between the values."""
    if not isinstance(value, str):
        return None
    parts = value.strip("/").split("/")
    places = [index for index, part in enumerate(parts) if part.lower() == "providers"]
    if not places:
        words = [part.lower() for part in parts[0::2]]
        return {"subscriptions": "Microsoft.Resources/subscriptions", "resourcegroups": "Microsoft.Resources/resourceGroups"}.get(words[-1])
    tail = parts[places[-1] + 1 :]
    return "/".join([tail[0], *tail[1::2]]) if len(tail) > 1 else None


def _caller(value: Any, *wanted: str) -> str | None:
    """What PIM's caller list, ``[{"CallerIdentityType": …, "CallerIdentityValue": …}]``, says under the first of these types that holds a value."""
    items = _opened(value)
    if not isinstance(items, list):
        return None
    said = {str(item.get("CallerIdentityType")): item.get("CallerIdentityValue") for item in items if isinstance(item, dict)}
    return next((said[name] for name in wanted if isinstance(said.get(name), str) and not is_empty(said[name])), None)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and value.lstrip().startswith("["))


def actor_uid(value: Any) -> str | None:
    """The object id of the caller, always with dashes."""
    return guid(_caller(value, "ObjectID", "UPN") if _is_list(value) else value)


def actor_name(value: Any) -> str | None:
    """The name of the caller, without the identity provider some UPNs carry in front (``live.com#``)."""
    name = _caller(value, "UPN", "Username", "Name") if _is_list(value) else value
    if not isinstance(name, str) or name.lstrip().startswith("{"):
        return None
    return name.partition("#")[2] if re.match(r"[\w.-]+#[^#@]+@", name) else name


def actor_email(value: Any) -> str | None:
    """The e-mail address of the caller."""
    return email(actor_name(value))


def actor_kind(value: Any) -> str | None:
    """The kind of caller in Azure's words."""
    return _caller(value, "ObjectClass") if _is_list(value) else text(value)


def mfa(methods: Any) -> bool | None:
    """Whether the comma-joined authentication methods of the token hold ``mfa``."""
    return "mfa" in methods.lower().split(",") if isinstance(methods, str) else None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "activity": activity,
    "actor_email": actor_email,
    "actor_kind": actor_kind,
    "actor_name": actor_name,
    "actor_uid": actor_uid,
    "error": error,
    "mfa": mfa,
    "outcome": outcome,
    "reads": reads,
    "resource_type": resource_type,
    "service": service,
    "subscription": subscription,
    "tenant": tenant,
    "uid": uid,
}
USUAL: dict[str, Callable[..., pl.Series]] = {"uid": usual_uid}
