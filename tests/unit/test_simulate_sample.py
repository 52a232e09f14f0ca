"""The generator repeats itself exactly, writes what providers write, and its ground truth is true."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.errors import UsageError
from engine.simulate.__main__ import main
from engine.simulate.native import ids
from engine.simulate.sample import Truth, simulate, truth

START = datetime(2026, 3, 2, tzinfo=UTC)
DOCUMENTATION = [ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
LAYOUTS = {
    "aws/cloudtrail": r"AWSLogs/(\d{12})/CloudTrail/([a-z0-9-]+)/\d{4}/\d\d/\d\d/\1_CloudTrail_\2_\d{8}T\d{4}Z_[A-Z0-9]{16}\.json\.gz"
    r"|AWSLogs/\d{12}/CloudTrail-Digest/.+_CloudTrail-Digest_.+\.json\.gz",
    "aws/bedrock": r"AWSLogs/\d{12}/BedrockModelInvocationLogs/[a-z0-9-]+/\d{4}/\d\d/\d\d/\d\d/"
    r"(data/[0-9a-f-]{36}_input|\d{8}T\d{9}Z_[0-9a-f]{16})\.json\.gz",
    "azure": r"insights-[a-z-]+/(resourceId=/SUBSCRIPTIONS/[A-Z0-9/.-]+|tenantId=[0-9a-f-]{36})/y=\d{4}/m=\d\d/d=\d\d/h=\d\d/m=00/PT1H\.json",
    "gcp": r"cloudaudit\.googleapis\.com/(activity|data_access)/\d{4}/\d\d/\d\d/(\d\d)_00_00_\2_59_59_S0\.json"
    r"|vertex_request_response/\d{8}-\d{12}\.json\.gz",
    "litellm": r"\d{4}-\d\d-\d\d/(time-[\d-]+_[0-9a-f-]{36}\.json|batch_\d{6}\.jsonl)",
    "otel": r"traces-\d{4}-\d\d-\d\d\.jsonl",
}


def digests(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(root.rglob("*")) if p.is_file()}


def read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def records(root: Path, folder: str) -> Iterator[dict[str, Any]]:
    """Every record below ``logs/folder``; digests and data objects hold none."""
    for path in sorted((root / "logs" / folder).rglob("*")):
        if not path.is_file() or "CloudTrail-Digest" in path.parts or path.parent.name == "data":
            continue
        for line in read(path).splitlines():
            document = orjson.loads(line)
            yield from document.get("Records", [document])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    out = tmp_path_factory.mktemp("story")
    return out, simulate(out, seed=3, start=START, days=2, scale=0.3)


def test_equal_arguments_give_equal_bytes(story: tuple[Path, Truth], tmp_path: Path) -> None:
    simulate(tmp_path, seed=3, start=START, days=2, scale=0.3)
    assert digests(tmp_path) == digests(story[0])


def test_another_seed_gives_another_company(story: tuple[Path, Truth], tmp_path: Path) -> None:
    simulate(tmp_path, seed=4, start=START, days=2, scale=0.3)
    assert not set(digests(tmp_path).values()) & set(digests(story[0]).values())


def test_a_start_without_zone_is_utc(story: tuple[Path, Truth], tmp_path: Path) -> None:
    simulate(tmp_path, seed=3, start=START.replace(tzinfo=None), days=2, scale=0.3)
    assert digests(tmp_path) == digests(story[0])


def test_files_lie_where_the_provider_puts_them(story: tuple[Path, Truth]) -> None:
    logs = story[0] / "logs"
    seen: Counter[str] = Counter()
    for path in logs.rglob("*"):
        if path.is_file():
            name = path.relative_to(logs).as_posix()
            folder = next(f for f in LAYOUTS if name.startswith(f"{f}/"))
            assert re.fullmatch(LAYOUTS[folder], name.removeprefix(f"{folder}/")), name
            assert ":" not in name
            seen[folder] += 1
    assert set(seen) == set(LAYOUTS)


def test_counts_are_what_was_delivered(story: tuple[Path, Truth]) -> None:
    out, told = story
    assert told.records["aws.cloudtrail"] == sum(1 for _ in records(out, "aws/cloudtrail"))
    assert told.records["aws.bedrock_invocation"] == sum(1 for _ in records(out, "aws/bedrock"))
    assert told.records["ai.litellm"] == sum(1 for _ in records(out, "litellm"))
    assert told.records["gcp.audit"] == sum(1 for _ in records(out, "gcp/cloudaudit.googleapis.com"))
    azure = sum(count for source, count in told.records.items() if source.startswith(("azure.", "entra.")))
    assert azure == sum(1 for _ in records(out, "azure"))


def test_cloudtrail_delivers_some_records_twice_and_unsorted(story: tuple[Path, Truth]) -> None:
    out, _ = story
    delivered = Counter(orjson.dumps(r) for r in records(out, "aws/cloudtrail"))
    ids_seen = Counter((r["eventID"], r["recipientAccountId"]) for r in map(orjson.loads, delivered))
    assert max(ids_seen.values()) == 1, "second deliveries are byte-identical"
    assert 0.005 < sum(n - 1 for n in delivered.values()) / len(delivered) < 0.05
    unsorted = 0
    for path in (out / "logs/aws/cloudtrail").rglob("*_CloudTrail_*.json.gz"):
        times = [r["eventTime"] for r in orjson.loads(read(path))["Records"]]
        unsorted += times != sorted(times)
    assert unsorted > 10


def test_every_event_of_the_story_is_in_the_logs_once(story: tuple[Path, Truth]) -> None:
    out, told = story
    found = Counter(f"{r['eventID']}|{r['recipientAccountId']}" for r in map(orjson.loads, {orjson.dumps(r) for r in records(out, "aws/cloudtrail")}))
    found.update(f"{r['accountId']}|{r['requestId']}" for r in records(out, "aws/bedrock"))
    found.update(f"{r['litellm_call_id']}|{r['id']}" for r in records(out, "litellm"))
    found.update(f"{r['logName']}|{r['timestamp']}|{r['insertId']}" for r in records(out, "gcp/cloudaudit.googleapis.com"))
    found.update(f"{r['endpoint']}|{r['request_id']}|{r['logging_time']}" for r in records(out, "gcp/vertex_request_response"))
    for document in records(out, "otel"):
        found.update(f"{s['traceId']}|{s['spanId']}" for s in document["resourceSpans"][0]["scopeSpans"][0]["spans"])
    for r in records(out, "azure"):
        if r["resourceId"].startswith("/tenants/"):
            found[f"{r['category']}|{r['properties']['id']}"] += 1
        else:
            found[f"{r['correlationId']}|{r['operationName']}|{r['time']}"] += 1
    for uid, step in told.events.items():
        source = told.steps[step - 1].source
        assert found[uid.rsplit("|", 1)[0] if source == "azure.activity" else uid] == 1, (source, uid)


def test_steps_are_numbered_in_time_and_saved(story: tuple[Path, Truth]) -> None:
    out, told = story
    assert [step.step for step in told.steps] == list(range(1, len(told.steps) + 1))
    assert [step.time for step in told.steps] == sorted(step.time for step in told.steps)
    assert {step.cloud for step in told.steps} == {"AWS", "Azure", "GCP", "in-house"}
    saved = truth.load(out / truth.NAME)
    assert saved.events == told.events
    assert saved.records == told.records


def test_addresses_are_from_documentation_ranges(story: tuple[Path, Truth]) -> None:
    texts = b"\n".join(read(p) for p in (story[0] / "logs").rglob("*") if p.is_file()).decode()
    plain = set(re.findall(r'(?:"(?:sourceIPAddress|callerIpAddress|callerIp|ipAddress|requester_ip_address|ipaddr)":")([0-9a-f:.]+)"', texts))
    assert len(plain) > 10
    for address in plain:
        assert any(ip_address(address) in network for network in DOCUMENTATION), address
    for key in set(re.findall(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", texts)):
        assert key.endswith(("EXAMPLE", "NOTREAL")) or key[13:17] == "FAKE"


def test_access_keys_carry_their_account() -> None:
    for account in ("111122223333", "444455556666", "999999999999"):
        key = ids.access_key(ids.generator(1, "keys"), account)
        assert len(key) == 20
        assert (int.from_bytes(base64.b32decode(key[4:])[:6]) & 0x7FFFFFFFFF80) >> 7 == int(account)


def test_bedrock_and_cloudtrail_share_request_ids_until_logging_ends(story: tuple[Path, Truth]) -> None:
    out, told = story
    trail = {r["requestID"]: r for r in records(out, "aws/cloudtrail") if r["eventSource"] == "bedrock.amazonaws.com"}
    logs = list(records(out, "aws/bedrock"))
    for log in logs:
        call = trail[log["requestId"]]
        assert (call["eventTime"], call["userIdentity"]["arn"]) == (log["timestamp"], log["identity"]["arn"])
        assert call["requestParameters"]["modelId"] == log["modelId"]
    cut = next(r["eventTime"] for r in trail.values() if r["eventName"] == "DeleteModelInvocationLoggingConfiguration")
    after = [log for log in logs if log["timestamp"] > cut]
    assert after
    assert "111122223333" not in {log["accountId"] for log in after}
    assert any("inputBodyS3Path" in log["input"] for log in logs)
    bulk = next(step for step in told.steps if step.title == "Stolen capacity is used in bulk")
    regions = {r["awsRegion"] for r in records(out, "aws/cloudtrail") if f"{r['eventID']}|{r['recipientAccountId']}" in bulk.event_uids}
    assert len(regions) >= 4


def test_issued_keys_act_later(story: tuple[Path, Truth]) -> None:
    calls = list(records(story[0], "aws/cloudtrail"))
    issued = {
        answer["credentials"]["accessKeyId"]: answer["assumedRoleUser"]["arn"]
        for call in calls
        if (answer := call["responseElements"]) and "credentials" in answer
    }
    used = {(i["accessKeyId"], i["arn"]) for call in calls if (i := call["userIdentity"]).get("type") == "AssumedRole"}
    assert len(used) > 100
    assert used <= set(issued.items())
    created = next(c["responseElements"]["accessKey"]["accessKeyId"] for c in calls if c["eventName"] == "CreateAccessKey")
    assert sum(call["userIdentity"].get("accessKeyId") == created for call in calls) > 500


def test_azure_tokens_name_their_sign_in(story: tuple[Path, Truth]) -> None:
    everything = list(records(story[0], "azure"))
    sign_ins = {r["properties"]["id"]: r for r in everything if r["category"].endswith("SignInLogs")}
    activity = [r for r in everything if r["category"] == "Administrative"]
    assert activity
    for record in activity:
        claims = record["identity"]["claims"]
        who = sign_ins[str(uuid.UUID(bytes_le=base64.urlsafe_b64decode(claims["uti"] + "==")))]["properties"]
        oid = claims["http://schemas.microsoft.com/identity/claims/objectidentifier"]
        assert oid == who.get("userId", who.get("servicePrincipalId"))
        assert record["callerIpAddress"] == who["ipAddress"]
    calls = [r["properties"]["objectId"] for r in everything if r["category"] in ("RequestResponse", "Audit")]
    known = {r["properties"].get("servicePrincipalId") for r in sign_ins.values()}
    assert "" in calls
    assert set(calls) & known


def test_the_leaked_key_is_in_a_prompt_and_then_in_use(story: tuple[Path, Truth]) -> None:
    out, told = story
    leak = next(step for step in told.steps if step.source == "ai.litellm")
    payload = next(r for r in records(out, "litellm") if f"{r['litellm_call_id']}|{r['id']}" in leak.event_uids)
    found = re.search(r"AKIA[A-Z2-7]{16}", payload["messages"][1]["content"])
    assert found
    addresses = {r["sourceIPAddress"] for r in records(out, "aws/cloudtrail") if r["userIdentity"].get("accessKeyId") == found[0]}
    assert "198.51.100.23" in addresses
    assert len(addresses) > 1


def test_scale_multiplies_life_and_not_the_attack(story: tuple[Path, Truth], tmp_path: Path) -> None:
    small = simulate(tmp_path / "small", seed=3, start=START, days=2, scale=0.1)
    assert [len(s.event_uids) for s in small.steps] == [len(s.event_uids) for s in story[1].steps]
    quiet = simulate(tmp_path / "quiet", seed=3, start=START, days=1, scale=0.1, story="quiet")
    assert quiet.steps == ()
    assert quiet.records["aws.cloudtrail"] > 100


def test_filled_in_rules_survive_a_new_run(tmp_path: Path) -> None:
    path = tmp_path / truth.NAME
    path.write_bytes(orjson.dumps({"rules": {"1": ["credential_in_prompt"]}}))
    simulate(tmp_path, seed=3, start=START, days=2, scale=0.1)
    assert orjson.loads(path.read_bytes())["rules"] == {"1": ["credential_in_prompt"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"story": "heist"}, r"no story 'heist': choose one of llmjacking, quiet"),
        ({"days": 1}, r"at least 2 day\(s\), not 1"),
        ({"scale": 0.0}, "scale must be above 0"),
    ],
)
def test_senseless_arguments_are_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        simulate(tmp_path, **{"seed": 1, "start": START, "days": 2, **arguments})
    assert not list(tmp_path.iterdir())


def test_command_line_writes_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    assert main([str(tmp_path), "--seed", "3", "--scale", "0.1"]) == 0
    assert time.monotonic() - began < 10
    out = capsys.readouterr().out
    assert "aws.cloudtrail" in out
    assert "expected.json" in out
    assert main([str(tmp_path), "--days", "1"]) == 2
    assert "at least 2" in capsys.readouterr().err
