"""The common schema: every column's name, type, OCSF path and meaning, and the `Mapping` that fills it for one source.

Events are flat frames: one row an event, columns named by OCSF 1.8.0 attribute path, ``x.*`` where OCSF has no word. Types:

======  =======================================  ==========================================
word    Polars                                   meaning
======  =======================================  ==========================================
string  String                                   text, never ""
int     Int64                                    integer
float   Float64                                  number
bool    Boolean                                  true or false
time    Datetime("us", "UTC")                    moment, microseconds
list    List(String)                             texts in source order, never empty
json    String                                   compact JSON text of an object or list
======  =======================================  ==========================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

DTYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "bool": pl.Boolean(),
    "time": pl.Datetime("us", "UTC"),
    "list": pl.List(pl.String()),
    "json": pl.String(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One common column. ``ocsf`` is the attribute path in OCSF 1.8.0, None for our own; ``kind`` is a key of `DTYPES`."""

    name: str
    kind: str
    meaning: str
    ocsf: str | None

    @property
    def dtype(self) -> pl.DataType:
        return DTYPES[self.kind]


def _columns(*rows: tuple[str, str, str]) -> dict[str, Column]:
    return {name: Column(name, kind, meaning, None if name.startswith("x.") else name) for name, kind, meaning in rows}


EVENT_COLUMNS: dict[str, Column] = _columns(
    ("time", "time", "when it happened, from the record itself"),
    ("metadata.uid", "string", "the provider's own id of the record"),
    ("metadata.event_code", "string", "the provider's record type or category"),
    ("metadata.correlation_uid", "string", "id that ties records of one action together"),
    ("metadata.product.name", "string", "the product that wrote the record"),
    ("metadata.tenant_uid", "string", "tenant or directory id"),
    ("metadata.processed_time", "time", "when the provider published or received it"),
    ("class_uid", "int", "OCSF class: 6003 API activity, 3002 authentication, 3001 account change, 3004 entity management, 3005 user access"),
    ("activity_id", "int", "OCSF activity of that class"),
    ("severity_id", "int", "severity the provider gave: 1 informational to 5 critical"),
    ("status_id", "int", "1 success, 2 failure"),
    ("status_code", "string", "status as the provider wrote it"),
    ("status_detail", "string", "reason as the provider wrote it"),
    ("cloud.provider", "string", "AWS, Azure or GCP"),
    ("cloud.account.uid", "string", "account, subscription, tenant or project the record is about"),
    ("cloud.region", "string", "region or location"),
    ("cloud.org.uid", "string", "organisation or tenant above the account"),
    ("api.service.name", "string", "service that was called"),
    ("api.operation", "string", "operation that was called, in the provider's words"),
    ("api.version", "string", "version of the API"),
    ("api.request.uid", "string", "request id"),
    ("api.request.data", "json", "request parameters or body"),
    ("api.response.data", "json", "response elements or body"),
    ("api.response.error", "string", "error code of the response"),
    ("x.read_only", "bool", "whether the call only reads"),
    ("actor.user.uid", "string", "stable id of who acted: ARN, object id, principal subject"),
    ("actor.user.name", "string", "name of who acted"),
    ("actor.user.email_addr", "string", "e-mail address of who acted"),
    ("actor.user.type", "string", "kind of actor in the provider's words"),
    ("actor.user.type_id", "int", "1 user, 2 admin or root, 3 system, 4 service"),
    ("actor.user.uid_alt", "string", "second stable id, such as AWS principalId"),
    ("actor.user.account.uid", "string", "account the actor belongs to"),
    ("actor.user.credential_uid", "string", "access key, token or key id that was used"),
    ("actor.app_uid", "string", "id of the client application"),
    ("actor.app_name", "string", "client application, or the service that called on someone's behalf"),
    ("actor.session.uid", "string", "session id"),
    ("actor.session.issuer", "string", "role or issuer behind the session"),
    ("actor.session.is_mfa", "bool", "whether the session used a second factor"),
    ("actor.session.created_time", "time", "when the session began"),
    ("actor.idp.name", "string", "identity provider"),
    ("x.role", "string", "role or permission that allowed the call"),
    ("user.uid", "string", "id of the identity that was acted upon"),
    ("user.name", "string", "name of the identity that was acted upon"),
    ("privileges", "list", "roles, policies or permissions that were granted"),
    ("src_endpoint.ip", "string", "address of the caller, valid IP addresses only"),
    ("src_endpoint.domain", "string", "caller that is no IP address, such as a service name"),
    ("src_endpoint.port", "int", "port of the caller"),
    ("src_endpoint.uid", "string", "network endpoint of the caller, such as a VPC endpoint"),
    ("src_endpoint.location.country", "string", "country of the caller, where the record says it"),
    ("src_endpoint.autonomous_system.number", "int", "autonomous system of the caller, where the record says it"),
    ("http_request.user_agent", "string", "user agent"),
    ("resources.uid", "list", "ids of the resources acted upon"),
    ("resources.type", "list", "their types"),
    ("resources.name", "list", "their names"),
    ("auth_protocol", "string", "authentication protocol or flow"),
    ("risk_level", "string", "risk the provider assigned"),
    ("raw_data", "string", "the record, verbatim"),
)
"""The 57 columns every source may fill."""

AI_COLUMNS: dict[str, Column] = _columns(
    ("x.ai.operation", "string", "inference operation: Converse, chat, embeddings, execute_tool, …"),
    ("ai_model.ai_provider", "string", "who made the model"),
    ("ai_model.name", "string", "model that was asked for"),
    ("ai_model.uid", "string", "deployment, profile or full id of the model"),
    ("ai_model.version", "string", "version of the model that answered"),
    ("message_context.uid", "string", "conversation, session or trace the call belongs to"),
    ("x.ai.response_id", "string", "id of the answer"),
    ("message_context.prompt_tokens", "int", "tokens read"),
    ("message_context.completion_tokens", "int", "tokens written"),
    ("message_context.total_tokens", "int", "tokens read and written"),
    ("x.ai.cached_tokens", "int", "tokens read from a cache"),
    ("x.ai.finish_reasons", "list", "why the model stopped"),
    ("message_context.prompt_text", "string", "text the user side sent, newest message last"),
    ("message_context.response_text", "string", "text the model wrote"),
    ("x.ai.system_text", "string", "system instructions"),
    ("x.ai.tool_calls", "json", 'tools the model asked for: [{"name","arguments","id"}]'),
    (
        "x.ai.guardrail",
        "json",
        'verdict of guardrails and content filters: {"action": "BLOCKED|NONE|…", "policies": ["PROMPT_ATTACK", …], "detail": …}',
    ),
    ("x.ai.latency_ms", "float", "milliseconds until the answer was complete"),
    ("x.ai.api_key_uid", "string", "id or hash of the key or principal that paid for the call"),
    ("x.ai.cost_usd", "float", "cost in US dollars, where the record says it"),
)
"""The 20 columns inference events fill."""

ENGINE_COLUMNS: dict[str, Column] = _columns(
    ("x.uid", "string", "identity of the event: dedupe, evidence and alerts go by it"),
    ("x.source", "string", "source the record was recognised as"),
    ("x.object", "string", "object the record was read from"),
    ("x.position", "int", "index of the record in that object, from 0"),
    ("x.flags", "list", "what is odd about the record: utf8_repaired, future_time"),
    ("x.ai.call_uid", "string", "id shared by the records of one inference call in provider log, gateway and span"),
    ("x.ai.tool_text", "string", "text that tools or retrieval returned to the model: untrusted input that no user typed"),
)
"""Columns crosswind adds itself."""

STORED: dict[str, Column] = {**ENGINE_COLUMNS, **EVENT_COLUMNS, **AI_COLUMNS}
"""The common columns an event has by itself, in display order."""

CHANGE = "x.change."
"""How the names of `CHANGE_COLUMNS` begin."""

CHANGE_COLUMNS: dict[str, Column] = _columns(
    ("x.change.known", "bool", "whether the difference of any fact is known: of the first fact of an asset it is not"),
    ("x.change.fact", "list", "kinds of facts that differ from before: ai.guardrail, bucket.policy, …"),
    ("x.change.asset", "list", "assets these facts are about, as type:value"),
    ("x.change.weaker", "list", "kinds that protect less than before, and which of their protections do: ai.logging, ai.logging.text"),
    ("x.change.stronger", "list", "kinds of which something protects more and nothing less, and every protection that rose"),
    ("x.change.lost", "list", "members of values that went away: ai.logging.text, bucket.policy.foreign:444455556666"),
    ("x.change.gained", "list", "members of values that came"),
    ("x.change.about", "list", "members of what was known of the same assets just before: bucket.use.in_use"),
    ("x.change.before", "json", "the facts that differ, as they were: [{fact, asset, part, value}]"),
    ("x.change.after", "json", "the same, as they are since"),
)
"""What posture facts of an event say beside those before them (`engine.posture.changes`). Events have none by themselves: these columns are made from
the history of facts just before rules that read them run, and are stored with hits alone.
"""

COLUMNS: dict[str, Column] = {**STORED, **CHANGE_COLUMNS}
"""Every common column by name, in display order."""


PRINCIPAL = "principal.uid"
"""Who stands behind a hit: no column of events, but joined to hits wherever rules and correlations group by it."""


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How one common column is made from a record.

    ``paths`` are record paths (`split_path`). ``every`` False: the first path that holds a value (none of missing, null, "", "-", "null", {}, [])
    is given to ``function``; True: all values, missing ones as None, are its arguments. ``function`` None: the value itself. Last, ``table`` maps
    the result (as lower-case text), and the column's type converts it. ``constant`` needs no path.
    """

    paths: tuple[str, ...] = ()
    function: str | None = None
    every: bool = False
    constant: str | int | bool | None = None
    table: tuple[tuple[str, str | int | bool], ...] = ()
    default: str | int | bool | None = None


@dataclass(frozen=True, slots=True)
class Recognition:
    """One way to recognise a record of the source: all conditions hold. Paths are looked up as in rules; ``equals`` compares case-insensitively."""

    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    equals: tuple[tuple[str, tuple[str, ...]], ...] = ()
    matches: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class EdgeRule:
    """How one edge between identities is made from a record: a key of `engine.identity.edges.KINDS`, and per end what stands before the value
    (``email:``; "" where the value is the whole entity) and where the value is. ``until``: when what was issued ends.
    """

    kind: str
    child_before: str
    child: ColumnRule
    parent_before: str
    parent: ColumnRule
    until: ColumnRule | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        return (*self.child.paths, *self.parent.paths, *(self.until.paths if self.until else ()))


@dataclass(frozen=True, slots=True)
class Identities:
    """Which identities a source tells of. ``issuing`` edges are read in every run, from records whose last word at one of ``operation_paths`` is
    among ``operations`` (none: from all); ``acting`` ones only from records somebody asks about. ``actors``: who acted, as (what stands
    before the value, common column), the most telling first.
    """

    operation_paths: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    issuing: tuple[EdgeRule, ...] = ()
    acting: tuple[EdgeRule, ...] = ()
    actors: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FactRule:
    """How one posture fact is read from a record: a key of `engine.posture.kinds.KINDS`, and the operations that tell it (their full name, or its
    last words), ``services`` where these must be of one (lower case; none: any).

    ``asset`` gives what the fact is about, as one text or several, ``asset_before`` stands before it (``aws.arn:``); none: the record tells nothing.
    ``part`` tells facts of one asset apart that are known each by itself: from the record (none: it tells nothing), or ``parts`` as they stand.
    ``value`` is an object; where the record does not hold it the fact is unknown since then, and ``unknown`` says why. ``tier`` is the log it takes.
    """

    fact: str
    operations: tuple[str, ...]
    asset_before: str
    asset: ColumnRule
    value: ColumnRule
    services: tuple[str, ...] = ()
    part: ColumnRule | None = None
    parts: tuple[str, ...] = ("",)
    unknown: str = ""
    tier: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        return (*self.asset.paths, *self.value.paths, *(self.part.paths if self.part else ()))


@dataclass(frozen=True, slots=True)
class Mapping:
    """One source: how its records are recognised, identified, mapped, and what Sigma may call its fields."""

    source: str
    title: str
    version: int
    provider: str | None
    ai: bool
    tier: str
    delivery: tuple[str, ...]
    recognise: tuple[Recognition, ...]
    logsources: tuple[tuple[str | None, str | None, str | None], ...]
    """(product, service, category) triples whose rules run on this source; None matches any."""
    closed: tuple[str, ...]
    """Object roots with a known set of members ("" is the record itself): an unknown field below one is a load error."""
    fields: tuple[str, ...]
    """Known record paths."""
    aliases: AnyMapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Sigma field name, lower case → record paths that together form one list-valued field."""
    embedded: tuple[str, ...] = ()
    """Paths whose value may be an object written as a JSON (or Python) string; look-ups pass through it."""
    uid: ColumnRule = field(default_factory=ColumnRule)
    columns: AnyMapping[str, ColumnRule] = field(default_factory=dict)
    lateness_minutes: int = 15
    """How late records of this source usually arrive."""
    identities: Identities = field(default_factory=Identities)
    facts: AnyMapping[str, tuple[FactRule, ...]] = field(default_factory=dict)
    """Operation, lower case (its full name, or its last one or two words) → the posture facts that its records tell."""

    def runs(self, product: str | None, service: str | None, category: str | None) -> bool:
        """Whether a rule with this logsource runs on native fields of this source: no part differs, and at least one is named on both sides."""
        asked = (product, service, category)
        return any(
            all(theirs is None or ours is None or theirs == ours.lower() for theirs, ours in zip(asked, triple, strict=True))
            and (any(theirs is not None and ours is not None for theirs, ours in zip(asked, triple, strict=True)) or triple == (None, None, None))
            for triple in self.logsources
        )


_SEGMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^."]+)')


def split_path(path: str) -> tuple[str, ...]:
    """The segments of a record path: dots separate, double quotes hold a segment that has dots itself (``identity.claims."http://a.b/upn"``).

    ``$`` alone is the whole record, (). Raises ValueError for a path that cannot be read.
    """
    if path == "$":
        return ()
    segments: list[str] = []
    position = 0
    while True:
        match = _SEGMENT.match(path, position)
        if match is None:
            raise ValueError(f"not a record path: {path!r}")
        segments.append(re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2])
        position = match.end()
        if position == len(path):
            return tuple(segments)
        if path[position] != ".":
            raise ValueError(f"not a record path: {path!r}")
        position += 1


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of an events frame as dicts without nulls, the form documents and reports read."""
    columns = [column for column in frame.get_columns() if column.null_count() < frame.height]
    names = [column.name for column in columns]
    cells = zip(*(column.to_list() for column in columns), strict=True) if columns else iter([()] * frame.height)
    return [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in cells]
