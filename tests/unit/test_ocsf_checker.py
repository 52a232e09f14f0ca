"""The checker finds what is broken, at every depth."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.ocsf_checker import problems

VALID: dict[str, Any] = {
    "activity_id": 1, "category_uid": 2, "class_uid": 2004, "type_uid": 200401, "severity_id": 4, "status_id": 1,
    "time": 1767225600000, "is_alert": True,
    "metadata": {"version": "1.8.0", "uid": "a", "profiles": ["cloud"], "product": {"name": "crosswind"}},
    "cloud": {"provider": "AWS", "account": {"uid": "111122223333", "type_id": 10}},
    "finding_info": {"uid": "a", "analytic": {"type_id": 1, "uid": "r"}, "attacks": [{"technique": {"uid": "T1685"}}],
                     "related_events": [{"uid": "e"}]},
    "evidences": [{"actor": {"user": {"name": "eve"}}, "src_endpoint": {"ip": "203.0.113.7"}, "data": {"any": [1, None]}}],
    "resources": [{"uid": "arn:example", "role_id": 1}],
    "observables": [{"name": "evidences[].src_endpoint.ip", "type_id": 2, "value": "203.0.113.7"}],
    "unmapped": {"anything": {"goes": None}},
}  # fmt: skip
GONE = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(VALID)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("/"))
    here: Any = document
    for part in parents:
        here = here[part]
    if value is GONE:
        del here[last]
    else:
        here[last] = value
    return document


def test_a_valid_document_has_no_problems() -> None:
    assert problems(VALID) == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("class_uid", 1, "unknown class"),
        ("class_uid", "2004", "unknown class"),
        ("severity_id", GONE, "severity_id: required"),
        ("finding_info", GONE, "finding_info: required"),
        ("cloud", GONE, "cloud: required"),
        ("metadata/product", GONE, "metadata.product: required"),
        ("finding_info/related_events/0/uid", GONE, "related_events[0].uid: required"),
        ("finding_info/analytic", {"type_id": 1}, "finding_info.analytic: at_least_one"),
        ("evidences/0/actor/user", {"type_id": 1}, "evidences[0].actor.user: at_least_one"),
        ("evidences/0/src_endpoint", {"port": 1}, "src_endpoint: at_least_one"),
        ("metadata/product", {}, "metadata.product: at_least_one"),
        ("severity_id", 9, "not in the enum"),
        ("resources/0/role_id", 7, "resources[0].role_id: 7 is not in the enum"),
        ("cloud/account/type_id", 1000, "not in the enum"),
        ("severity_id", "4", "is not integer_t"),
        ("severity_id", True, "is not integer_t"),
        ("is_alert", 1, "is not boolean_t"),
        ("message", 7, "is not string_t"),
        ("message", None, "message: null"),
        ("time", "2026-03-01T00:00:00Z", "is not timestamp_t"),
        ("time", 1767225600, "hardly milliseconds"),
        ("time", 2**63, "is not timestamp_t"),
        ("evidences", {}, "evidences: not a list"),
        ("finding_info/title", ["x"], "is not string_t"),
        ("metadata", [], "metadata: not an object"),
        ("evidences/0", "x", "evidences[0]: not an object"),
        ("evidences/0/src_endpoint/ip", "lambda.amazonaws.com", "is not ip_t"),
        ("evidences/0/src_endpoint/ip", "1x2x3x4", "no IP address"),
        ("evidences/0/src_endpoint/port", 70_000, "outside"),
        ("evidences/0/actor/user/email_addr", "nobody", "is not email_t"),
        ("invented", 1, "invented: unknown attribute"),
        ("finding_info/attacks/0/technique/invented", 1, "finding_info.attacks[0].technique.invented: unknown attribute"),
        ("evidences/0/actor/user/account", {"uid": "1", "invented": 1}, "account.invented: unknown attribute"),
        ("attacks", [{"technique": {"uid": "T1685"}}], "attacks: unknown attribute"),
        ("actor", {"app_name": "x"}, "actor: unknown attribute"),
        ("time_dt", "2026-03-01T00:00:00Z", "time_dt: unknown attribute"),
        ("metadata/profiles", ["cloud", "ai_operation"], "'ai_operation' does not apply"),
        ("metadata/profiles", [], "cloud: unknown attribute"),
        ("metadata/version", "1.7.0", "metadata.version"),
        ("type_uid", 200402, "type_uid: not"),
        ("observables/0/name", "evidences[].src_endpoint.address", "no attribute path"),
        ("observables/0/name", "is_alert[].ip", "no attribute path"),
        ("observables/0/name", "message.text", "no attribute path"),
        ("observables/0/value", 7, "is not string_t"),
    ],
)  # fmt: skip
def test_a_broken_document_is_refused(path: str, value: Any, problem: str) -> None:
    found = problems(changed(path, value))
    assert any(problem in line for line in found), found


def test_a_profile_turns_its_attributes_on() -> None:
    document = changed("metadata/profiles", ["cloud", "security_control"])
    assert problems({**document, "attacks": [{"technique": {"uid": "T1685"}}]}) == []


def test_an_incident_needs_an_assignee() -> None:
    incident = {name: VALID[name] for name in ("activity_id", "category_uid", "severity_id", "time", "metadata", "cloud", "status_id")}
    incident |= {"class_uid": 2005, "type_uid": 200501, "finding_info_list": [{"uid": "a"}]}
    assert problems(incident) == ["document: at_least_one of assignee, assignee_group"]
    assert problems({**incident, "assignee_group": {"name": "unassigned"}}) == []


def test_what_is_no_object_is_refused() -> None:
    assert problems([]) == ["document: not an object"]
