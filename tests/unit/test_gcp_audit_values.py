import pytest

from connectors.sources import gcp_audit as source


@pytest.mark.parametrize(
    ("service", "method", "kinds", "expected"),
    [
        ("iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccount", None, (3001, 1, False)),
        ("cloudresourcemanager.googleapis.com", "SetIamPolicy", ["ADMIN_WRITE"], (3005, 1, False)),
        ("login.googleapis.com", "google.login.LoginService.logout", None, (3002, 2, False)),
        ("admin.googleapis.com", "google.admin.AdminService.createUser", None, (3001, 1, False)),
        ("compute.googleapis.com", "v1.compute.instances.insert", None, (6003, 1, False)),
        ("compute.googleapis.com", "beta.compute.instances.aggregatedList", None, (6003, 2, True)),
        ("compute.googleapis.com", "v1.compute.instances.setMetadata", None, (6003, 3, False)),
        ("k8s.io", "io.k8s.core.v1.pods.deletecollection", None, (6003, 4, False)),
        ("aiplatform.googleapis.com", "google.cloud.aiplatform.v1.PredictionService.Predict", ["DATA_READ"], (6003, 2, True)),
        ("x.googleapis.com", "jobservice.jobcompleted", None, (6003, 99, None)),
        (None, None, None, (6003, 99, None)),
        (5, {}, 7, (6003, 99, False)),
    ],
)
def test_kind_of_call(service: object, method: object, kinds: object, expected: tuple[int, int, bool | None]) -> None:
    values = (None, service, None, method, None, None, kinds)
    assert (source.event_class(*values), source.activity(*values), source.reads(*values)) == expected


@pytest.mark.parametrize(
    ("status", "event", "expected"),
    [
        (None, None, 1),
        ({}, None, 1),
        ({"code": 0}, None, 1),
        ({"message": "repaired"}, None, 1),
        ({"code": 7, "message": "PERMISSION_DENIED"}, None, 2),
        ({"code": "16"}, None, 2),
        ('{"code": 7}', None, 2),
        (None, ["login_success"], 1),
        (None, ["login_failure"], 2),
        ("odd", 5, 1),
    ],
)
def test_outcome(status: object, event: object, expected: int) -> None:
    assert source.status(None, status, None, event) == expected


@pytest.mark.parametrize(
    ("info", "uid", "name", "kind", "project"),
    [
        ({"principalEmail": "maria@example.com"}, "user:maria@example.com", "maria@example.com", "user", None),
        (
            {"principalEmail": "ci@p1.iam.gserviceaccount.com"},
            "serviceAccount:ci@p1.iam.gserviceaccount.com",
            "ci@p1.iam.gserviceaccount.com",
            "serviceAccount",
            "p1",
        ),
        (
            {"principalEmail": "p1@appspot.gserviceaccount.com"},
            "serviceAccount:p1@appspot.gserviceaccount.com",
            "p1@appspot.gserviceaccount.com",
            "serviceAccount",
            "p1",
        ),
        (
            {"principalEmail": "42-compute@developer.gserviceaccount.com"},
            "serviceAccount:42-compute@developer.gserviceaccount.com",
            "42-compute@developer.gserviceaccount.com",
            "serviceAccount",
            "42",
        ),
        ({"principalEmail": "system@google.com"}, "system@google.com", "system@google.com", "system", None),
        ({"principalEmail": "system:anonymous"}, "system:anonymous", "system:anonymous", "system", None),
        (
            {"principalSubject": "principal://iam.googleapis.com/locations/global/workforcePools/w/subject/pat@example.com"},
            None,
            "pat@example.com",
            "workforcePool",
            None,
        ),
        ('{"principalEmail": "maria@example.com"}', "user:maria@example.com", "maria@example.com", "user", None),
        ({}, None, None, None, None),
        (["odd"], None, None, None, None),
    ],
)
def test_principal(info: object, uid: str | None, name: str | None, kind: str | None, project: str | None) -> None:
    subject = info["principalSubject"] if isinstance(info, dict) and "principalSubject" in info else uid
    assert source.actor_uid(info, None, None) == subject
    assert source.actor_name(info, None, None) == name
    assert source.actor_kind(info, None, None) == kind
    assert source.actor_project(info, None, None) == project


def test_who_gained_a_role_comes_before_who_lost_one() -> None:
    deltas = [
        {"action": "REMOVE", "role": "roles/a", "member": "user:old@example.com"},
        {"action": "ADD", "role": "roles/b", "member": "user:new@example.com"},
        3,
    ]
    assert source.privileges(deltas, None, None) == ["roles/b"]
    assert source.target_name(deltas, None, None, None) == "user:new@example.com"
    assert source.privileges(deltas[:1], None, None) == ["roles/a"]
    assert source.target_name(None, None, None, "ci@p1.iam.gserviceaccount.com") == "ci@p1.iam.gserviceaccount.com"


def test_identity_keeps_the_parts_of_a_split_entry_apart() -> None:
    assert source.uid("l", "t", "i", None) == "l|t|i"
    assert source.uid("l", "t", "i", "2") == "l|t|i|2"
    assert source.uid("l", 5, "", None) is None


def test_project_and_organisation_of_a_log() -> None:
    assert source.project(None, None, "projects/p1/logs/x") == "p1"
    assert source.project("p2", None, "projects/p1/logs/x") == "p2"
    assert source.project(None, None, "folders/1/logs/x") is None
    assert source.organisation(None, "organizations/7/logs/x") == "7"


def test_delegation_chain_begins_with_its_first_principal() -> None:
    chain = [{}, {"principalSubject": "principal://a"}, {"firstPartyPrincipal": {"principalEmail": "maria@example.com"}}]
    assert source.delegator({"serviceAccountDelegationInfo": chain}, None, None) == "principal://a"
    assert source.delegator({"serviceAccountDelegationInfo": "x"}, None, None) is None
