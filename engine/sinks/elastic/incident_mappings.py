"""The mapping of every field of an incident document."""

from __future__ import annotations

from engine.sinks.elastic.mappings import DATE, FLOAT, KEYWORD, LONG, STORED, TEXT, VERSION, Mapping, fields, keywords


def incident_mappings() -> Mapping:
    """Nothing is mapped that does not stand here. What only a reader of one incident wants is in the document, not in the index."""
    return {
        "dynamic": False,
        "date_detection": False,
        "_meta": {"managed_by": "crosswind", "version": VERSION},
        "properties": {
            "@timestamp": {"type": "date", "ignore_malformed": False},
            "message": {"type": "text", "fields": {"keyword": KEYWORD}},
            "ecs": fields(**keywords("version")),
            "event": fields(
                **keywords("id", "kind", "category", "type", "module", "dataset"),
                severity=LONG,
                risk_score=FLOAT,
                start=DATE,
                end=DATE,
                created=DATE,
                ingested=DATE,
            ),
            "threat": fields(framework=KEYWORD, tactic=fields(**keywords("id", "name"))),
            "cloud": fields(**keywords("provider"), account=fields(**keywords("id"))),
            "related": fields(user=KEYWORD),
            "observer": fields(**keywords("product", "vendor", "version")),
            "crosswind": fields(incident=_incident()),
        },
    }


def _incident() -> Mapping:
    return fields(
        **keywords("kind", "uid", "level", "status", "confidence", "sources", "responsibility", "continues", "continued_by"),
        **keywords("state", "why", "moved_to", "follows", "followed_by", "alert_uids", "event_uids"),
        title=TEXT,
        score=FLOAT,
        alerts=LONG,
        events=LONG,
        joins_total=LONG,
        held=fields(strong=LONG, medium=LONG),
        revision=LONG,
        first_time=DATE,
        last_time=DATE,
        created=DATE,
        updated=DATE,
        principals=fields(**keywords("entity", "strength", "evidence")),
        clouds=fields(**keywords("provider", "account")),
        tactics=fields(**keywords("tactic", "alert"), time=DATE),
        blast=fields(**keywords("read", "written", "data", "models", "accounts"), left_out=LONG),
        human=fields(**keywords("status", "verdict", "assignee"), reason=TEXT),
        joins=STORED,
        factors=STORED,
        next_hunts=STORED,
        containment=STORED,
        notes=STORED,
    )
