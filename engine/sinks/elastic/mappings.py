"""The mapping of every field we send. Nothing is mapped that does not stand here, so no log can make fields."""

from __future__ import annotations

from typing import Any

Mapping = dict[str, Any]

VERSION = 2
"""Of mappings and templates; rises with every change of them."""

_LONGEST = 1024
KEYWORD: Mapping = {"type": "keyword", "ignore_above": _LONGEST}
TEXT: Mapping = {"type": "keyword", "ignore_above": _LONGEST, "fields": {"text": {"type": "text"}}}
DATE: Mapping = {"type": "date"}
LONG: Mapping = {"type": "long"}
IP: Mapping = {"type": "ip"}
FLOAT: Mapping = {"type": "float"}
STORED: Mapping = {"type": "object", "enabled": False}
"""In the document, not in the index."""


def fields(**members: Mapping) -> Mapping:
    """An object with exactly these members."""
    return {"dynamic": False, "properties": members}


def keywords(*names: str) -> dict[str, Mapping]:
    """Members that are all keywords."""
    return dict.fromkeys(names, KEYWORD)


def mappings() -> Mapping:
    """The mapping of an alert document, in the data stream and in the index of latest states alike."""
    return {
        "dynamic": False,
        "date_detection": False,
        "_meta": {"managed_by": "crosswind", "version": VERSION},
        "properties": {
            "@timestamp": {"type": "date", "ignore_malformed": False},
            "message": {"type": "text", "fields": {"keyword": KEYWORD}},
            "ecs": fields(**keywords("version")),
            "data_stream": fields(**keywords("type", "dataset", "namespace")),
            "event": _event(),
            "rule": fields(
                **keywords("uuid", "name", "reference", "author", "version", "ruleset"),
                description=TEXT,
            ),
            "threat": _threat(),
            "cloud": fields(**keywords("provider", "region"), account=fields(**keywords("id")), service=fields(**keywords("name"))),
            "user": fields(**keywords("id", "name", "email"), target=fields(**keywords("id", "name"))),
            "source": fields(**keywords("address"), ip=IP, geo=fields(**keywords("country_iso_code")), **{"as": fields(number=LONG)}),
            "user_agent": fields(original=TEXT),
            "related": fields(ip=IP, user=KEYWORD),
            "gen_ai": _gen_ai(),
            "observer": fields(**keywords("product", "vendor", "version")),
            "crosswind": fields(alert=_alert()),
        },
    }


def _event() -> Mapping:
    return fields(
        **keywords("id", "kind", "category", "type", "module", "dataset", "action", "provider", "outcome"),
        severity=LONG,
        risk_score=FLOAT,
        start=DATE,
        end=DATE,
        created=DATE,
        ingested=DATE,
        reason=TEXT,
        original={"type": "keyword", "index": False, "doc_values": False, "ignore_above": _LONGEST},
    )


def _threat() -> Mapping:
    named = keywords("id", "name", "reference")
    return fields(framework=KEYWORD, tactic=fields(**named), technique=fields(**named, subtechnique=fields(**named)))


def _gen_ai() -> Mapping:
    return fields(
        system=KEYWORD,
        operation=fields(**keywords("name")),
        request=fields(**keywords("model")),
        response=fields(**keywords("id", "model", "finish_reasons")),
        usage=fields(input_tokens=LONG, output_tokens=LONG),
    )


def _alert() -> Mapping:
    """Our own part. ``evidence`` is one flattened field however many keys it has; ``content`` is prompts and answers, which no search finds."""
    return fields(
        **keywords("uid", "state", "kind", "level", "sources", "event_uids", "why", "superseded_by", "change"),
        count=LONG,
        revision=LONG,
        first_time=DATE,
        last_time=DATE,
        created=DATE,
        updated=DATE,
        cloud=fields(**keywords("provider", "account")),
        entities=fields(**keywords("type", "value")),
        group=fields(**keywords("name", "value")),
        rule=fields(**keywords("path", "tags", "owasp"), falsepositives=STORED, response=STORED),
        rules=fields(**keywords("uid", "title"), events=LONG),
        events=fields(**keywords("uid", "source", "object", "operation"), time=DATE, position=LONG),
        human=fields(**keywords("status", "verdict", "assignee"), reason=TEXT),
        evidence={"type": "flattened", "ignore_above": _LONGEST, "depth_limit": 20},
        content=STORED,
    )
