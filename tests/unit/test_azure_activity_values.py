import json

import pytest

from connectors.sources import azure_activity as source

OID = "0a1b2c3d-1111-4222-8333-444455556666"
PARTS = (None, None, "2026-03-04T05:06:07Z", "/SUBSCRIPTIONS/X", "A/WRITE", "corr", "Success", "Succeeded.", {"b": 1, "a": "ü"})


def test_the_provider_id_is_the_identity_where_there_is_one() -> None:
    assert source.uid("ed-1", None, *PARTS[2:]) == "ed-1"
    assert source.uid("-", "ed-2", *PARTS[2:]) == "ed-2"


def test_without_one_spelling_and_encoding_of_the_same_record_do_not_change_the_hash() -> None:
    known = source.uid(*PARTS)
    assert known is not None
    assert known.startswith("corr|A/WRITE|2026-03-04T05:06:07Z|")
    assert len(known.rsplit("|", 1)[1]) == 16
    for properties in (json.dumps(PARTS[8]), "{'a': 'ü', 'b': 1}", {"a": "ü", "b": 1}):
        assert source.uid(*PARTS[:3], "/subscriptions/x", *PARTS[4:8], properties) == known


@pytest.mark.parametrize("index", range(2, 9))
def test_every_key_field_counts(index: int) -> None:
    changed = [*PARTS]
    changed[index] = "other"
    assert source.uid(*changed) != source.uid(*PARTS)


def test_no_identity_without_a_time() -> None:
    assert source.uid(None, None, None, *PARTS[3:]) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Succeeded.", "succeeded"),
        ("Failed.NotFound", "failed"),
        ("OK (HTTP Status Code: 200)", "ok"),
        ("Start", "start"),
        (0, "0"),
        (None, None),
    ],
)
def test_outcome_word(value: object, expected: str | None) -> None:
    assert source.outcome(value) == expected


def test_only_failures_have_an_error() -> None:
    assert source.error("Failure", None, None, "AuthorizationFailed", "Forbidden", "Failed.", None) == "AuthorizationFailed"
    assert source.error(None, "Failed", None, None, None, None, "Conflict") == "Conflict"
    assert source.error("Success", None, None, "x", "OK", None, None) is None
    assert source.error(None, None, None, None, None, None, None) is None


@pytest.mark.parametrize(
    ("given", "generated", "hierarchy", "expected"),
    [
        ("tenant", None, None, "tenant"),
        ("workspace", "2026-03-04", "root/group/sub", "root"),
        ("workspace", "2026-03-04", "sub", None),
        (None, None, "root/sub", "root"),
    ],
)
def test_tenant_is_never_the_workspace(given: object, generated: object, hierarchy: object, expected: str | None) -> None:
    assert source.tenant(given, None, None, None, hierarchy, generated) == expected


def test_subscription() -> None:
    assert source.subscription("/SUBSCRIPTIONS/ABC-1/RESOURCEGROUPS/R") == "abc-1"
    assert source.subscription("ABC-1") == "abc-1"
    assert source.subscription("/providers/Microsoft.Management/managementGroups/g") is None
    assert source.subscription(5) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/subscriptions/s/resourceGroups/r/providers/Microsoft.Web/sites/a/config/b", "Microsoft.Web/sites/config"),
        ("/subscriptions/s/providers/A/b/c/providers/Microsoft.Authorization/roleAssignments/d", "Microsoft.Authorization/roleAssignments"),
        ("/subscriptions/s", "Microsoft.Resources/subscriptions"),
        ("/subscriptions/s/resourcegroups/r", "Microsoft.Resources/resourceGroups"),
        ("/subscriptions/s/providers/X", None),
        ("x", None),
        (None, None),
    ],
)
def test_resource_type(value: object, expected: str | None) -> None:
    assert source.resource_type(value) == expected


@pytest.mark.parametrize(
    ("operation", "activity", "reads"), [("A/b/read", 2, True), ("A/B/WRITE", 3, False), ("A/b/Delete", 4, False), ("PIM", 99, False)]
)
def test_activity_follows_the_suffix(operation: str, activity: int, reads: bool) -> None:
    assert (source.activity(operation), source.reads(operation)) == (activity, reads)


CALLER = json.dumps([{"CallerIdentityType": "UPN", "CallerIdentityValue": ""}, {"CallerIdentityType": "ObjectID", "CallerIdentityValue": OID}, 7])


@pytest.mark.parametrize(
    ("value", "uid", "name", "email"),
    [
        (CALLER, OID, None, None),
        (OID.replace("-", "").upper(), OID, OID.replace("-", "").upper(), None),
        ("maria@example.com", "maria@example.com", "maria@example.com", "maria@example.com"),
        ("live.com#ann@example.com", "live.com#ann@example.com", "ann@example.com", "ann@example.com"),
        ("ann_b_example.com#EXT#@t.example", "ann_b_example.com#EXT#@t.example", "ann_b_example.com#EXT#@t.example", "ann_b@example.com"),
        ({"claims": {}}, None, None, None),
    ],
)
def test_caller(value: object, uid: str | None, name: str | None, email: str | None) -> None:
    assert source.actor_uid(value) == uid
    assert source.actor_name(value) == name
    assert source.actor_email(value) == email


def test_second_factor_is_one_of_the_methods() -> None:
    assert source.mfa("pwd,mfa") is True
    assert source.mfa("pwd") is False
    assert source.mfa(["mfa"]) is None


def test_service_is_named_or_the_first_part_of_the_operation() -> None:
    assert source.service("Microsoft.Compute", None, None, None, None, None) == "Microsoft.Compute"
    assert source.service(None, None, "", None, "MICROSOFT.WEB/SITES/WRITE", None) == "MICROSOFT.WEB"
    assert source.service(None, None, None, None, "Add member", "azurerbac") == "azurerbac"
