import pytest

from connectors.sources import aws_cloudtrail as source


@pytest.mark.parametrize(
    ("name", "said", "activity", "reads"),
    [
        ("GetObject", None, 2, True),
        ("BatchGetSecretValue", None, 2, True),
        ("CreateFunction20150331", None, 1, False),
        ("PutBucketPolicy", None, 3, False),
        ("DeleteDBInstance", "false", 4, False),
        ("Decrypt", True, 2, True),
        ("GenerateDataKey", "true", 2, True),
        ("InvokeModel", None, 99, None),
        ("", None, 99, None),
        (7, {}, 99, None),
    ],
)
def test_a_call_is_judged_by_what_the_record_says_then_by_its_first_word(name: object, said: object, activity: int, reads: bool | None) -> None:
    assert source.activity("x.amazonaws.com", name, said) == activity
    assert source.read_only(said, name) is reads


@pytest.mark.parametrize(
    ("service", "name", "expected"),
    [
        ("iam.amazonaws.com", "CreateUser", (3001, 1)),
        ("iam.amazonaws.com", "DeleteUser", (3001, 6)),
        ("iam.amazonaws.com", "AttachRolePolicy", (3005, 1)),
        ("signin.amazonaws.com", "ConsoleLogin", (3002, 1)),
        ("sts.amazonaws.com", "AssumeRoleWithSAML", (3002, 3)),
        ("transfer.amazonaws.com", "CreateUser", (6003, 1)),
        (None, None, (6003, 99)),
    ],
)
def test_class_and_activity_depend_on_service_and_name(service: object, name: object, expected: tuple[int, int]) -> None:
    assert (source.event_class(service, name), source.activity(service, name, None)) == expected


@pytest.mark.parametrize(
    ("error", "kind", "name", "response", "details", "expected"),
    [
        (None, "AwsApiCall", "GetObject", None, None, 1),
        ("", "AwsApiCall", "GetObject", None, None, 1),
        ("AccessDenied", "AwsApiCall", "GetObject", None, None, 2),
        (None, "AwsConsoleSignIn", "ConsoleLogin", {"ConsoleLogin": "Failure"}, None, 2),
        (None, "AwsConsoleSignIn", "ConsoleLogin", '{"ConsoleLogin": "Failure"}', None, 2),
        (None, "AwsConsoleSignIn", "SwitchRole", {"SwitchRole": "Success"}, None, 1),
        (None, "AwsApiCall", "PutItem", {"state": "Failure"}, None, 1),
        (None, "AwsServiceEvent", "CredentialVerification", None, {"CredentialVerification": "Failure"}, 2),
        (None, "AwsCloudTrailInsight", None, None, None, None),
    ],
)
def test_outcome(error: object, kind: object, name: object, response: object, details: object, expected: int | None) -> None:
    assert source.status(error, kind, name, response, details) == expected


@pytest.mark.parametrize(
    ("user", "issuer", "arn", "kind", "expected"),
    [
        ("maria", None, "arn:aws:iam::111122223333:user/maria", "IAMUser", "maria"),
        ("HIDDEN_DUE_TO_SECURITY_REASONS", None, None, "IAMUser", None),
        (None, "deploy", "arn:aws:sts::111122223333:assumed-role/deploy/job", "AssumedRole", "deploy"),
        (None, None, "arn:aws:sts::111122223333:assumed-role/deploy/job", "AssumedRole", "deploy"),
        (None, None, "arn:aws:sts::111122223333:federated-user/pat", "FederatedUser", "pat"),
        (None, None, "arn:aws:iam::111122223333:root", "Root", "root"),
        ({}, [], 5, None, None),
    ],
)
def test_name_of_the_actor(user: object, issuer: object, arn: object, kind: object, expected: str | None) -> None:
    assert source.actor_name(user, issuer, arn, kind) == expected


def test_an_email_address_comes_from_the_user_name_or_the_session_name() -> None:
    assert source.actor_email("Pat@example.com", None, None) == "pat@example.com"
    assert source.actor_email(None, "AROAEXAMPLE:pat@example.com", None) == "pat@example.com"
    assert source.actor_email("pat", "AROAEXAMPLE:job-7", "arn:aws:sts::111122223333:assumed-role/deploy/job-7") is None


@pytest.mark.parametrize(
    ("kind", "arn", "expected"),
    [
        ("AssumedRole", "arn:aws:sts::111122223333:assumed-role/deploy/job", 4),
        ("AssumedRole", "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_1/pat", 1),
        ("AssumedRole", "arn:aws:sts::111122223333:assumed-role/ops/pat@example.com", 1),
        ("Root", None, 2),
        ("AWSService", None, 3),
        ("AWSAccount", None, None),
        (None, None, None),
    ],
)
def test_kind_of_actor(kind: object, arn: object, expected: int | None) -> None:
    assert source.actor_type(kind, arn) == expected


@pytest.mark.parametrize(("said", "expected"), [("true", True), ("No", False), ("Yes", True), (False, False), ({}, None)])
def test_second_factor(said: object, expected: bool | None) -> None:
    assert source.mfa(said) is expected


def test_resources_are_the_ones_listed_else_what_the_parameters_name() -> None:
    assert source.resource_uids([{"arn": "arn:aws:s3:::a"}, {"ARN": "arn:aws:s3:::b"}, 5], {"bucketName": "c"}) == [
        "arn:aws:s3:::a",
        "arn:aws:s3:::b",
    ]
    assert source.resource_uids(None, {"bucketName": "plans"}) == ["arn:aws:s3:::plans"]
    assert source.resource_uids(None, {"resourceArns": ["arn:aws:x:::y"], "policyArn": "arn:aws:iam::aws:policy/P"}) == ["arn:aws:x:::y"]
    assert source.resource_uids(None, {"instancesSet": {"items": [{"instanceId": "i-1"}, "odd"]}, "snapshotId": "snap-1"}) == ["snap-1", "i-1"]
    assert source.resource_uids("[{'ARN': 'arn:aws:s3:::a'}]", None) == ["arn:aws:s3:::a"]
    assert source.resource_uids({}, "text") is None
    assert source.resource_names([{"ARN": "arn:aws:iam::111122223333:role/path/ops"}], None) == ["ops"]


def test_inline_policies_count_by_name_for_iam_alone() -> None:
    assert source.privileges("iam.amazonaws.com", None, "inline") == ["inline"]
    assert source.privileges("autoscaling.amazonaws.com", None, "inline") is None
    assert source.privileges("iam.amazonaws.com", "arn:aws:iam::aws:policy/P", "x") == ["arn:aws:iam::aws:policy/P"]
