"""Prompts and credentials do not leave, identifiers do."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.documents import redaction
from engine.documents.redaction import CREDENTIAL, mask, redact_content, redact_evidence, redact_json, redact_text
from tests.alert_samples import AI_EVIDENCE, CLOUD_EVIDENCE, SECRET

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEexample\nkey-line\n-----END RSA PRIVATE KEY-----"
TOKENS = [
    SECRET,
    PEM,
    "ghp_" + "a1B2" * 9,
    "gho_" + "a1B2" * 9,
    "github_pat_" + "a1B2_" * 10,
    "glpat-" + "a1B2" * 5,
    "AIza" + "Sy0-_" * 7,
    "sk-proj-" + "a1B2" * 8,
    "ABSK" + "QmVk" * 10,
    "bedrock-api-key-" + "YmVk" * 10,
    "xoxb-" + "1234567890-abc",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.c2lnbmF0dXJl",
    "IQoJb3JpZ2lu" + "X2Vj" * 12,
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:12].strip("-"))
@pytest.mark.parametrize("around", ["{}", "see {} there", "key={},", '{{"a": "{}"}}', "two\n{}\nlines", "escaped\\n{}\\n"])
def test_credentials_are_found_wherever_they_stand(token: str, around: str) -> None:
    redacted = redact_text(around.format(token))
    assert token not in redacted
    assert CREDENTIAL in redacted


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "https://acct.blob.example.com/c?sv=2022&sig=abc%2Fdef%3D12345&se=x",
            "https://acct.blob.example.com/c?sv=2022&sig=[redacted: credential]&se=x",
        ),
        ("password=hunter22", "password=[redacted: credential]"),
        ('{\\"clientSecret\\": \\"abc123def\\"}', '{\\"clientSecret\\": \\"[redacted: credential]\\"}'),
        ("Authorization: Bearer abc.def.ghi123", "Authorization: Bearer [redacted: credential]"),
        ("postgres://app:pa55w0rd@db.example.com/x", "postgres://app:[redacted: credential]@db.example.com/x"),
        ("AccountKey=abcdefgh1234==;End", "AccountKey=[redacted: credential];End"),
    ],
)
def test_named_secrets_lose_their_value_and_keep_their_name(text: str, kept: str) -> None:
    assert redact_text(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "arn:aws:sts::111122223333:assumed-role/Admin/eve",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "task-runner-is-a-long-hyphenated-name",
        "secretsmanager.amazonaws.com",
        "GetSecretValue",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:example-AbCdEf",
        "projects/example/secrets/name/versions/1",
        "my password is",
    ],
)
def test_identifiers_stay(text: str) -> None:
    assert redact_text(text) == text


def test_redaction_is_stable() -> None:
    once = redact_text(f"password=hunter22 {SECRET}")
    assert redact_text(once) == once


def test_content_gives_its_length_a_digest_and_masked_key_ids() -> None:
    redacted = redact_content(f"use AKIAIOSFODNN7EXAMPLE and {SECRET}")
    assert redacted.startswith("[redacted: 69 characters, sha256 ")
    assert redacted.endswith("; holds AKIA************MPLE, aws secret]")
    assert mask("AKIAIOSFODNN7EXAMPLE") == "AKIA************MPLE"


def test_secret_keys_of_a_record_lose_their_value_and_numbers_keep_their_text() -> None:
    record = '{"responseElements":{"accessKey":{"accessKeyId":"AKIAIOSFODNN7EXAMPLE","secretAccessKey":"short"}},"x":1.50,"sessionToken":null}'
    expected = record.replace('"short"', f'"{CREDENTIAL}"')
    assert redact_json(record, content=False) == expected


def test_azure_authorization_objects_are_no_secret() -> None:
    record = '{"authorization":{"action":"Microsoft.Storage/storageAccounts/listKeys/action","scope":"/subscriptions/x"}}'
    assert redact_json(record, content=False) == record


PRIVATE = [
    '{"input":{"inputTokenCount":12,"inputBodyJson":{"messages":[{"role":"user","content":[{"text":"PRIVATE words"}]}]}}}',
    '{"output":{"outputBodyJson":[{"delta":{"text":"PRIVATE"}},"[DONE]"]}}',
    '{"properties":{"requestBody":"{\\"messages\\":[{\\"role\\":\\"user\\",\\"content\\":\\"PRIVATE\\"}]}"}}',
    '{"messages":"PRIVATE","response":{"choices":[{"message":{"content":"PRIVATE"}}]}}',
    '{"full_request":{"contents":[{"parts":[{"text":"PRIVATE"}]}]},"system_instruction":"PRIVATE"}',
    '{"attributes":[{"key":"gen_ai.input.messages","value":{"stringValue":"PRIVATE"}}]}',
    '{"attributes":{"gen_ai.prompt.0.content":"PRIVATE","gen_ai.tool.call.arguments":{"q":"PRIVATE"}}}',
    '{"tool_calls":[{"function":{"name":"search","arguments":"PRIVATE it is"}}]}',
    json.dumps({"unheard_of": "PRIVATE " + "words " * 60}),
    '{"broken": "PRIVATE',
]


@pytest.mark.parametrize("record", PRIVATE)
def test_private_texts_of_inference_records_are_replaced(record: str) -> None:
    redacted = redact_json(record, content=True)
    assert "PRIVATE" not in redacted
    assert "[redacted: " in redacted


def test_the_structure_of_an_inference_record_stays() -> None:
    record = json.loads(redact_json(PRIVATE[0], content=True))
    assert record["input"]["inputTokenCount"] == 12
    assert record["input"]["inputBodyJson"]["messages"][0]["role"] == "user"


def test_evidence_of_inference_is_redacted_and_shown_on_request() -> None:
    shown = redact_evidence(AI_EVIDENCE)
    text = json.dumps(shown, default=str)
    assert "My plan" not in text
    assert "merger" not in text
    assert '\\"name\\":\\"search\\"' in text
    assert shown["message_context.prompt_tokens"] == 12
    assert "AKIA************MPLE" in shown["message_context.prompt_text"]
    assert redact_evidence(AI_EVIDENCE, show_content=True) == AI_EVIDENCE


def test_evidence_of_the_control_plane_stays_as_it_is() -> None:
    assert redact_evidence(CLOUD_EVIDENCE) == CLOUD_EVIDENCE


@pytest.mark.parametrize("raw", ["[" * 50_000, '{"a":' * 3_000 + "1" + "}" * 3_000, '"\\ud800"', "", "null", "NaN"])
def test_hostile_records_are_survived(raw: str) -> None:
    for content in (True, False):
        assert redact_json(raw, content=content).encode() is not None


@pytest.mark.parametrize("unit", ["eyJ", "-----BEGIN PRIVATE KEY-----", "://a:", "sk-", "password=\\", "a/B1", "bearer ", "gh", "-"])
def test_time_grows_with_length_only(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        start = time.perf_counter()
        redact_text(text)
        return time.perf_counter() - start

    short, long = (min(seconds(length) for _ in range(3)) for length in (40_000, 320_000))
    assert long < 24 * short + 0.02  # linear is 8 times, quadratic 64 times


@pytest.mark.parametrize(
    "record",
    [
        {"environment": [{"name": "DB_PASSWORD", "value": "hunter2hunter2"}]},
        {"Variables": {"AZURE_OPENAI_API_KEY": "hunter2hunter2"}},
        {"adminUserPassword": "hunter2hunter2"},
        {"password": ["hunter2hunter2"]},
        {"parameterKey": "DbPassword", "parameterValue": "hunter2hunter2"},
        {"text": "calling with api-key: hunter2hunter2"},
        {"url": "https://example.com/v1?subscription-key=hunter2hunter2"},
    ],
)
def test_secrets_under_ordinary_names_are_hidden(record: dict[str, object]) -> None:
    assert "hunter2" not in redact_json(json.dumps(record), content=False)


def test_an_error_message_keeps_what_it_says_and_not_what_it_quotes() -> None:
    message = "Too many tokens for messages: [{'role': 'user', 'content': 'my diagnosis is secret'}]"
    shown = redact_evidence({"x.source": "ai.litellm", "status_detail": message})["status_detail"]
    assert shown.startswith("Too many tokens for messages:")
    assert "diagnosis" not in shown
    plain = {"x.source": "aws.cloudtrail", "status_detail": "User: 'eve' is not authorized"}
    assert redact_evidence(plain) == plain
    short = {"x.source": "ai.litellm", "status_detail": "Rate exceeded"}
    assert redact_evidence(short) == short


@pytest.mark.parametrize("kind", redaction._TOKENS)
@given(st.data())
def test_what_every_credential_has_is_in_each(kind: str, data: st.DataObject) -> None:
    pattern = redaction._TOKENS[kind].replace(redaction._START, "")
    assert redaction.may_hold_credentials(data.draw(st.from_regex(pattern, alphabet=st.characters(codec="ascii"))))


@given(st.from_regex("(?i)(?:" + redaction._NAMES.replace("(?<!:)", "") + ")=abcdef", fullmatch=True))
def test_what_every_assignment_has_is_in_each(text: str) -> None:
    assert redaction.may_hold_credentials(text)


@given(st.text(alphabet="sſkKiIeEcrtpawod=: xX-_3D", max_size=40))
def test_texts_without_a_mark_hold_no_credential(text: str) -> None:
    assert redaction.may_hold_credentials(text) or redaction._CREDENTIALS.search(text) is None
