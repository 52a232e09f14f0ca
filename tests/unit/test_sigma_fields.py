"""Which sources a rule runs on, and where its fields are found there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.errors import UnknownField
from engine.schema import Mapping, split_path
from engine.sigma.fields import OPEN, Resolution, Scope, applies, resolve, to_path
from engine.sigma.tree import LogSource

TRAIL = replace(
    OPEN,
    source="aws.cloudtrail",
    logsources=(("aws", "cloudtrail", None),),
    closed=("", "userIdentity"),
    fields=("eventName", "time", "userIdentity.arn", "userIdentity.type", "requestParameters", 'claims."http://example.com/upn"'),
    aliases={"src_ip": ("sourceIPAddress", "tls.ip"), "eventname2": ("eventName",)},
)
BEDROCK = replace(
    OPEN, source="aws.bedrock", ai=True, logsources=(("aws", "bedrock", None), ("ai", "bedrock", "llm_inference")), closed=("",), fields=("a",)
)
GATEWAY = replace(BEDROCK, source="ai.gateway", logsources=(("ai", None, "llm_inference"),))


def logsource(product: str | None = None, service: str | None = None, category: str | None = None) -> LogSource:
    return LogSource(category, product, service)


@pytest.mark.parametrize(
    ("source", "mapping", "scope"),
    [
        (logsource("aws", "cloudtrail"), TRAIL, Scope.NATIVE),
        (logsource("aws"), TRAIL, Scope.NATIVE),
        (logsource("aws", "bedrock"), TRAIL, None),
        (logsource("azure", "cloudtrail"), TRAIL, None),
        (logsource(category="process_creation"), TRAIL, None),
        (logsource("windows", category="process_creation"), TRAIL, None),
        (logsource("cloud"), TRAIL, Scope.COMMON),
        (logsource("cloud", category="api_activity"), TRAIL, Scope.COMMON),
        (logsource("cloud", category="authentication"), BEDROCK, Scope.COMMON),
        (logsource("cloud", category="network"), TRAIL, None),
        (logsource("cloud", "x"), TRAIL, None),
        (logsource("ai"), TRAIL, None),
        (logsource("ai"), BEDROCK, Scope.COMMON),
        (logsource("ai", "bedrock"), BEDROCK, Scope.COMMON),
        (logsource("ai", "bedrock", "llm_inference"), BEDROCK, Scope.COMMON),
        (logsource("ai", "litellm"), BEDROCK, None),
        (logsource("ai", "litellm"), GATEWAY, Scope.COMMON),
        (logsource("ai", category="training"), BEDROCK, None),
        (logsource(category="llm_inference"), BEDROCK, Scope.COMMON),
        (logsource(category="llm_inference"), TRAIL, None),
        (logsource("aws", "bedrock"), BEDROCK, Scope.NATIVE),
        (logsource("anything", "at", "all"), OPEN, Scope.NATIVE),
        (logsource("ai"), OPEN, Scope.NATIVE),
    ],
)
def test_applies(source: LogSource, mapping: Mapping, scope: Scope | None) -> None:
    assert applies(source, mapping) is scope


@pytest.mark.parametrize(
    ("field", "paths"),
    [
        ("eventName", ("eventName",)),
        ("EVENTNAME", ("eventName",)),
        ("Src_IP", ("sourceIPAddress", "tls.ip")),
        ("eventName2", ("eventName",)),
        ("useridentity.ARN", ("userIdentity.arn",)),
        ("userIdentity", ("userIdentity",)),
        ("requestParameters.a.b", ("requestParameters.a.b",)),
        ("RequestParameters.a", ("RequestParameters.a",)),
        ("claims.http://example.com/upn", ('claims."http://example.com/upn"',)),
        ("claims.other", ("claims.other",)),
        ("time", ("time",)),
        ("tls.version", ("tls.version",)),
    ],
)
def test_native_fields_are_record_paths(field: str, paths: tuple[str, ...]) -> None:
    assert resolve(field, Scope.NATIVE, TRAIL) == Resolution(paths=paths)


def test_a_common_column_is_the_last_resort_of_a_native_field() -> None:
    assert resolve("actor.user.uid", Scope.NATIVE, TRAIL) == Resolution(column="actor.user.uid")


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("evntName", "field 'evntName' does not exist in aws.cloudtrail; did you mean 'eventName'"),
        ("userIdentity.arm", "does not exist below 'userIdentity' in aws.cloudtrail; did you mean 'userIdentity.arn'"),
        ("identity.type", "'userIdentity.type'"),
        ("Actor.User.Uid", "'actor.user.uid'"),
        ("zzz", "does not exist in aws.cloudtrail"),
    ],
)
def test_an_unknown_field_under_a_closed_root_is_refused_with_suggestions(field: str, words: str) -> None:
    with pytest.raises(UnknownField) as caught:
        resolve(field, Scope.NATIVE, TRAIL)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("field", "resolution"),
    [
        ("api.operation", Resolution(column="api.operation")),
        ("x.ai.guardrail", Resolution(column="x.ai.guardrail")),
        ("x.ai.guardrail.action", Resolution(column="x.ai.guardrail", subpath="action")),
        ("x.ai.tool_calls.arguments.a b", Resolution(column="x.ai.tool_calls", subpath="arguments.a b")),
    ],
)
def test_common_fields_are_columns_or_stand_below_json_columns(field: str, resolution: Resolution) -> None:
    assert resolve(field, Scope.COMMON, BEDROCK) == resolution


@pytest.mark.parametrize("field", ["eventName", "API.operation", "api.operation.name", "resources.uid.x", "x.ai", ""])
def test_common_rules_know_no_other_fields(field: str) -> None:
    with pytest.raises(UnknownField):
        resolve(field, Scope.COMMON, BEDROCK)


@pytest.mark.parametrize(
    ("field", "segments"),
    [
        ("a.b", ("a", "b")),
        ("a b.c-d", ("a b", "c-d")),
        ("a..b", ("a", "", "b")),
        (".a.", ("", "a", "")),
        ('a."b', ("a", '"b')),
        ("a\\b", ("a\\b",)),
        ('\\"', ('\\"',)),
        ("$", ("$",)),
        ("$.a", ("$", "a")),
        ("http://example.com/x", ("http://example", "com/x")),
    ],
)
def test_any_field_text_is_a_readable_path(field: str, segments: tuple[str, ...]) -> None:
    assert split_path(to_path(field)) == segments
    assert resolve(field, Scope.NATIVE, OPEN).paths == (to_path(field),)
