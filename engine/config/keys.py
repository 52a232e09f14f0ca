"""Every setting there is: its section, name, kind, default and meaning. docs/configuration.md says the same; a test compares the two."""

from __future__ import annotations

from dataclasses import dataclass

from engine.config import kinds
from engine.config.kinds import Kind


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. ``default`` is as it would stand in the file; None where there is none."""

    name: str
    kind: Kind
    default: object = None
    required: bool = False


LAKE, STATE = "lake", "state"

SECTIONS: dict[str, tuple[Key, ...]] = {
    LAKE: (Key("path", kinds.PATH, "lake"),),
    STATE: (Key("url", kinds.STATE),),
    "rules": (
        Key("paths", kinds.PATHS, []),
        Key("builtin", kinds.FLAG, True),
        Key("pipelines", kinds.PIPELINES, []),
        Key("variables", kinds.VARIABLES, {}),
        Key("min_level", kinds.LEVEL, "low"),
    ),
    "redaction": (Key("show_content", kinds.FLAG, False),),
    "limits": (
        Key("horizon", kinds.POSITIVE, "7d"),
        Key("hit_retention", kinds.POSITIVE, "30d"),
        Key("threads", kinds.COUNT),
    ),
}
"""Sections that stand once."""

TRANSPORTS = ("files",)

SOURCE = (
    Key("path", kinds.PLACES, required=True),
    Key("transport", kinds.one_of(*TRANSPORTS), "files"),
    Key("source", kinds.TEXT),
    Key("lateness", kinds.DURATION),
)

JOB = (
    Key("command", kinds.COMMAND, required=True),
    Key("every", kinds.POSITIVE),
    Key("cron", kinds.CRON),
    Key("timezone", kinds.TIMEZONE, "UTC"),
    Key("jitter", kinds.DURATION, "0s"),
    Key("coalesce", kinds.FLAG, True),
    Key("misfire_grace", kinds.POSITIVE, "5m"),
    Key("max_runtime", kinds.POSITIVE),
)

SINKS: dict[str, tuple[Key, ...]] = {
    "elasticsearch": (
        Key("hosts", kinds.URLS, required=True),
        Key("namespace", kinds.TEXT, "default"),
        Key("api_key", kinds.SECRET),
        Key("username", kinds.TEXT),
        Key("password", kinds.SECRET),
        Key("ca_certs", kinds.PATH),
        Key("ca_fingerprint", kinds.FINGERPRINT),
        Key("verify_certs", kinds.FLAG, True),
        Key("proxy", kinds.URL),
        Key("timeout", kinds.SECONDS, "30s"),
        Key("bulk_bytes", kinds.SIZE, "5 MiB"),
        Key("bulk_documents", kinds.COUNT, 500),
    ),
    "file": (
        Key("path", kinds.PATH, required=True),
        Key("max_bytes", kinds.SIZE, "64 MiB"),
        Key("keep", kinds.COUNT, 10),
    ),
    "webhook": (
        Key("url", kinds.ADDRESS, required=True),
        Key("secret", kinds.SECRET),
        Key("style", kinds.one_of("json", "slack"), "json"),
        Key("timeout", kinds.SECONDS, "30s"),
    ),
}
"""By the type of a sink."""

NAMED = ("source", "sink", "job")
"""Sections that stand once for each name: ``[source.trail]``."""


def named_keys(section: str, type_: str | None) -> tuple[Key, ...]:
    """The keys of ``[section.NAME]``; of a sink, those of its ``type_``."""
    if section == "sink":
        return (Key("type", kinds.one_of(*SINKS), required=True), *SINKS.get(type_ or "", ()))
    return SOURCE if section == "source" else JOB


def variable(*parts: str) -> str:
    """The environment variable that overrides a setting: ``CROSSWIND_SECTION_KEY``, and ``CROSSWIND_LAKE`` and ``CROSSWIND_STATE`` for short."""
    short = parts[:1] if parts in ((LAKE, "path"), (STATE, "url")) else parts
    return "_".join(("CROSSWIND", *short)).upper().replace("-", "_")
