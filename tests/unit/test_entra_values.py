import pytest

from connectors.identities import guest_email
from connectors.sources import entra_audit, entra_risk, entra_signin
from connectors.values import email

TENANT = "99999999-8888-4777-8666-555555555555"
RESOURCE = f"/tenants/{TENANT.upper()}/providers/Microsoft.aadiam"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0A1B2C3D11114222833344445555666F", "0a1b2c3d-1111-4222-8333-44445555666f"),
        ("0A1B2C3D-1111-4222-8333-44445555666F", "0a1b2c3d-1111-4222-8333-44445555666f"),
        ("00000000-0000-0000-0000-000000000000", None),
        ("sp-1", "sp-1"),
        ("-", None),
        (7, None),
    ],
)
def test_object_ids(value: object, expected: str | None) -> None:
    assert entra_signin.guid(value) == expected


@pytest.mark.parametrize(
    ("column", "resource", "given", "generated", "expected"),
    [
        (None, RESOURCE, "other", None, "other"),
        (None, RESOURCE, None, None, TENANT),
        (None, RESOURCE, "workspace", "2026-03-04", TENANT),
        (TENANT, None, "workspace", "2026-03-04", TENANT),
        (None, None, "workspace", "2026-03-04", None),
    ],
)
def test_tenant_is_never_the_workspace(column: object, resource: object, given: object, generated: object, expected: str | None) -> None:
    assert entra_signin.tenant(column, resource, given, generated) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("SignInLogs", None, None, None, None, None), "SignInLogs"),
        (("serviceprincipalsigninlogs", None, None, None, None, None), "ServicePrincipalSignInLogs"),
        ((None, "AADManagedIdentitySignInLogs", None, None, None, None), "ManagedIdentitySignInLogs"),
        ((None, "SigninLogs", None, None, None, None), "SignInLogs"),
        ((None, None, None, ["servicePrincipal"], None, None), "ServicePrincipalSignInLogs"),
        ((None, None, '["nonInteractiveUser"]', None, None, None), "NonInteractiveUserSignInLogs"),
        ((None, None, None, None, None, False), "NonInteractiveUserSignInLogs"),
        ((5, {}, 7, {}, None, None), "SignInLogs"),
    ],
)
def test_category_of_a_sign_in(arguments: tuple[object, ...], expected: str) -> None:
    assert entra_signin.category(*arguments) == expected


@pytest.mark.parametrize(
    ("inner", "outer", "given", "status", "error"),
    [
        (0, None, "0", 1, None),
        ("0", None, None, 1, None),
        (None, None, "50126", 2, "50126"),
        (50076, None, None, 2, "50076"),
        (None, None, "", None, None),
        ({}, None, None, None, None),
    ],
)
def test_outcome_of_a_sign_in(inner: object, outer: object, given: object, status: int | None, error: str | None) -> None:
    assert entra_signin.status(inner, outer, given) == status
    assert entra_signin.error(inner, outer, given) == error


def test_the_envelope_is_no_resource() -> None:
    assert entra_signin.resource(None, None, RESOURCE) is None
    assert entra_signin.resource("app", None, RESOURCE) == ["app"]
    assert entra_signin.resource(None, None, "app") == ["app"]


@pytest.mark.parametrize(
    ("name", "category", "kind", "expected"),
    [
        ("Add user", "UserManagement", "Add", (3001, 1)),
        ("Update user", "UserManagement", "Update", (3001, 99)),
        ("Add member to role", "RoleManagement", "Assign", (3005, 1)),
        ("Remove member from role (PIM activation expired)", "RoleManagement", "Unassign", (3005, 2)),
        ("Remove eligible member to role", "RoleManagement", "Unassign", (3005, 2)),
        ("Consent to application", "ApplicationManagement", "Assign", (3005, 1)),
        ("Delete conditional access policy", "Policy", "Delete", (3004, 4)),
        ("Add unverified domain", "DirectoryManagement", None, (3004, 1)),
        ("Odd", None, None, (3004, 99)),
    ],
)
def test_kind_of_change(name: str, category: object, kind: object, expected: tuple[int, int]) -> None:
    arguments = (name, None, None, category, None, kind)
    assert (entra_audit.event_class(*arguments), entra_audit.activity(*arguments)) == expected


USER = {"id": "0a1b2c3d-1111-4222-8333-444455556666", "userPrincipalName": "maria@example.com"}
APP = {"appId": "a-1", "displayName": "HR sync", "servicePrincipalId": "sp-1"}


@pytest.mark.parametrize(
    ("by", "kind", "uid", "name"),
    [
        ({"user": USER, "app": None}, "user", USER["id"], "maria@example.com"),
        ({"user": {"id": None}, "app": APP}, "app", "sp-1", "HR sync"),
        ({"user": USER, "app": APP}, "user", USER["id"], "maria@example.com"),
        ('{"app": {"appId": "a-1"}}', "app", "a-1", None),
        ("{'user': {'id': 'u-1'}}", "user", "u-1", None),
        ({}, None, None, None),
        ("nobody", None, None, None),
    ],
)
def test_who_started_it(by: object, kind: str | None, uid: str | None, name: str | None) -> None:
    assert entra_audit.actor_kind(by, None) == kind
    assert entra_audit.actor_uid(by, None) == uid
    assert entra_audit.actor_name(None, by) == name


def _changed(name: str, value: object) -> list[dict[str, object]]:
    return [{"type": "Role", "id": "r"}, {"type": "User", "id": "u", "modifiedProperties": [{"displayName": name, "newValue": value}, 3]}, 4]  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Role.DisplayName", '"Global Administrator"', ["Global Administrator"]),
        ("AppRole.Value", '["A","B"]', ["A", "B"]),
        ("DelegatedPermissionGrant.Scope", '" User.Read Mail.Read"', ["User.Read", "Mail.Read"]),
        ("ConsentAction.Permissions", '"[] => [[Id: x, Scope: User.Read Mail.Read, CreatedDateTime: ]]; "', ["User.Read", "Mail.Read"]),
        ("AccountEnabled", "[true]", None),
        ("Role.DisplayName", None, None),
    ],
)
def test_privileges_are_read_from_modified_properties(name: str, value: object, expected: list[str] | None) -> None:
    assert entra_audit.privileges(_changed(name, value)) == expected


def test_the_person_is_the_target_before_the_role() -> None:
    assert entra_audit.target_uid(_changed("x", None)) == "u"
    assert entra_audit.target_uid([{"type": "Role", "id": "r"}]) == "r"
    assert entra_audit.target_uid("none") is None


def test_user_agent_of_a_pair() -> None:
    assert entra_audit.user_agent(None, None, [{"key": "User-Agent", "value": "curl"}], None) == "curl"
    assert entra_audit.user_agent("own", None, None, None) == "own"
    assert entra_audit.user_agent(None, None, '[{"key":"User-Agent","value":"curl"}]', "x") == "curl"
    assert entra_risk.user_agent('[{"Key":"userAgent","Value":"Tor"}]') == "Tor"
    assert entra_risk.user_agent(5) is None


def test_a_risky_user_is_a_new_event_with_every_change() -> None:
    assert entra_risk.uid("RiskyUsers", None, "u", None, "2026-03-04", None) == "RiskyUsers|u|2026-03-04"
    assert entra_risk.uid(None, "AADUserRiskEvents", None, "r", None, None) == "UserRiskEvents|r"
    assert entra_risk.uid(None, None, None, None, None) is None


@pytest.mark.parametrize("name", ["ann_b_example.com#EXT#@t.onmicrosoft.com", "Ann_B_Example.com#ext#@T.onmicrosoft.com"])
def test_the_name_of_a_guest_gives_one_address_in_columns_and_in_edges(name: str) -> None:
    assert email(name) == guest_email(name) == "ann_b@example.com"
    assert email("no-address#EXT#@t.onmicrosoft.com") == "no-address#ext#@t.onmicrosoft.com"
