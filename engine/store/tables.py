"""The tables of the state database. A change here needs a step in `engine.store.migrations`.

Times are `Moment` (microseconds UTC), free texts `AnyText`, documents JSON text.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, Table, Text, text

from engine.store.column_types import AnyText, Moment

metadata = MetaData()
_RISING = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself for INTEGER alone

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", AnyText, nullable=False))
"""Facts of this state: ``created``, ``lake``."""

counters = Table("counters", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False))
"""``sequence``: the number of the last change of an alert or an incident. Its row is also the lock that keeps numbers in the order of commits."""

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", AnyText, nullable=False),
    Column("token", Text, nullable=False),
    Column("until", Moment, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("due", Moment, nullable=False),
    Column("begun", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("finished", Moment),
    Column("outcome", Text),
)
"""The last time each job was due and begun by some scheduler; ``finished`` is null until it came to an end."""

plans = Table(
    "plans",
    metadata,
    Column("batch", BigInteger, primary_key=True, autoincrement=False),
    Column("sources", AnyText, nullable=False),
    Column("objects", AnyText, nullable=False),
    Column("digest", Text, nullable=False),
    Column("rules_digest", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("closed", Moment),
    Column("open", Boolean, nullable=False),
)
"""Every batch there was. ``objects`` is emptied when the batch is done: its cursors say the same."""
Index("one_open_plan", plans.c.open, unique=True, sqlite_where=text("open"), postgresql_where=text("open"))

seen = Table(
    "seen",
    metadata,
    Column("source", AnyText, primary_key=True),
    Column("uri_key", Text, primary_key=True),
    Column("uri", AnyText, nullable=False),
    Column("version", AnyText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("prefix", AnyText, nullable=False),
    Column("tail", AnyText, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("batch", BigInteger, ForeignKey("plans.batch"), nullable=False),
    Column("gone", Moment),
)
"""What was taken of each object. ``uri_key`` is a digest of the URI: paths can be longer than an index takes.

``gone``: since when no listing has it.
"""
Index("seen_by_batch", seen.c.batch)

swept = Table("swept", metadata, Column("source", AnyText, primary_key=True), Column("time", Moment, nullable=False))
"""When each configured source was last looked through for objects that are gone."""

collected = Table("collected", metadata, Column("source", AnyText, primary_key=True), Column("time", Moment, nullable=False))
"""When each configured source was last looked through."""

latest = Table("latest", metadata, Column("source", AnyText, primary_key=True), Column("time", Moment, nullable=False))
"""The greatest event time of each ``x.source``."""

rule_hashes = Table("rule_hashes", metadata, Column("uid", AnyText, primary_key=True), Column("content_hash", Text, nullable=False))
"""The rules of the last batch that is done."""

runs = Table(
    "runs",
    metadata,
    Column("id", _RISING, primary_key=True, autoincrement=True),
    Column("batch", BigInteger, ForeignKey("plans.batch")),
    Column("started", Moment, nullable=False),
    Column("finished", Moment, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("counts", AnyText, nullable=False),
    Column("errors", AnyText, nullable=False),
)
Index("runs_by_batch", runs.c.batch)

alerts = Table(
    "alerts",
    metadata,
    Column("uid", AnyText, primary_key=True),
    Column("sequence", BigInteger, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("rule", AnyText, nullable=False),
    Column("level", Integer, nullable=False),
    Column("first_time", Moment, nullable=False),
    Column("last_time", Moment, nullable=False),
    Column("document", AnyText, nullable=False),
    Column("digest", Text, nullable=False),
    Column("why", AnyText),
    Column("superseded_by", AnyText, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("batch", BigInteger, ForeignKey("plans.batch")),
)
"""``document`` is the alert as it was last found, ``state`` what became of it since, ``batch`` null where no batch but a self-check changed it."""
Index("alerts_by_batch", alerts.c.batch)
Index("alerts_by_rule", alerts.c.rule, alerts.c.last_time)
Index("alerts_by_time", alerts.c.last_time)

incidents = Table(
    "incidents",
    metadata,
    Column("uid", AnyText, primary_key=True),
    Column("origin", AnyText, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("component", AnyText, nullable=False),
    Column("sequence", BigInteger, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("first_time", Moment, nullable=False),
    Column("last_time", Moment, nullable=False),
    Column("document", AnyText, nullable=False),
    Column("digest", Text, nullable=False),
    Column("why", AnyText),
    Column("moved_to", AnyText),
    Column("follows", AnyText),
    Column("followed_by", AnyText),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("batch", BigInteger, ForeignKey("plans.batch"), nullable=False),
)
"""Every incident there was. ``origin`` is the uid it has as a function of the alerts; ``uid`` is that too, unless it ``follows`` one that people had
closed, and then ``generation`` counts how often that happened. One that stands no more leads on with ``moved_to``.
"""
Index("incidents_by_batch", incidents.c.batch)
Index("incidents_by_component", incidents.c.component)
Index("incidents_by_origin", incidents.c.origin, incidents.c.generation, unique=True)
Index("incidents_by_time", incidents.c.last_time)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _RISING, primary_key=True, autoincrement=True),
    Column("sink", AnyText, nullable=False),
    Column("kind", Text, nullable=False),
    Column("uid", AnyText, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried", Moment),
    Column("reason", AnyText),
    Column("dead", Boolean, nullable=False),
    sqlite_autoincrement=True,  # an id is never given twice, so that what was read under it cannot be mistaken for something newer
)
"""What sinks still have to be told: a row for each change of an alert or an incident, of which the last one of a uid speaks for all before it."""
Index("outbox_by_thing", outbox.c.sink, outbox.c.uid, outbox.c.kind, outbox.c.id)
Index("outbox_by_id", outbox.c.sink, outbox.c.dead, outbox.c.id)

deliveries = Table(
    "deliveries",
    metadata,
    Column("sink", AnyText, primary_key=True),
    Column("uid", AnyText, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("first", Moment, nullable=False),
    Column("last", Moment, nullable=False),
)
"""What each sink was last told about each uid."""

human = Table(
    "human",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("uid", AnyText, primary_key=True),
    Column("status", Text, nullable=False),
    Column("assignee", AnyText),
    Column("verdict", Text),
    Column("reason", AnyText),
    Column("who", AnyText, nullable=False),
    Column("at", Moment, nullable=False),
)
"""What people made of an alert or an incident, as it stands now."""

human_changes = Table(
    "human_changes",
    metadata,
    Column("id", _RISING, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("uid", AnyText, nullable=False),
    Column("who", AnyText, nullable=False),
    Column("at", Moment, nullable=False),
    Column("status", Text),
    Column("assignee", AnyText),
    Column("verdict", Text),
    Column("reason", AnyText),
    Column("note", AnyText),
)
"""Every change somebody made, in order; null is what it left alone."""
Index("human_changes_by_thing", human_changes.c.kind, human_changes.c.uid, human_changes.c.id)

last_looks = Table(
    "last_looks",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("who", AnyText, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)
"""Up to which change each person has seen the alerts, and the incidents."""
