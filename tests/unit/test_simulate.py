"""A simulated company: it repeats itself exactly, its identities hang together, and its benign life is as ugly as real life."""

from __future__ import annotations

import ast
import base64
import gzip
import hashlib
import os
import random
import re
import subprocess
import sys
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.errors import UsageError
from engine.simulate.campaigns import CAMPAIGNS, REPORTS, campaign
from engine.simulate.company import build
from engine.simulate.decoys import DECOYS, decoy
from engine.simulate.delivery import DARK
from engine.simulate.generate import Made, Plan, chosen, dark, generate, play

ROOT = Path(__file__).resolve().parents[2]
SEED = 3
SMALL = Plan(days=2, seed=SEED, scale=0.15)
DOCUMENTATION = [ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
ADDRESS = re.compile(rb"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
Record = dict[str, Any]


def digests(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(root.rglob("*")) if p.is_file()}


def read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@dataclass
class World:
    """One simulation, read back."""

    out: Path
    made: Made

    @cached_property
    def truth(self) -> Record:
        document: Record = orjson.loads((self.out / "truth.json").read_bytes())
        return document

    def records(self, folder: str) -> Iterator[Record]:
        for path in sorted((self.out / "logs" / folder).rglob("*")):
            if path.is_file():
                for line in read(path).splitlines():
                    document = orjson.loads(line)
                    yield from document.get("Records", [document])

    @cached_property
    def trail(self) -> list[Record]:
        seen = {(r["eventID"], r["recipientAccountId"]): r for r in self.records("aws/AWSLogs") if "eventID" in r}
        return sorted(seen.values(), key=lambda r: str(r["eventTime"]))

    @cached_property
    def benign(self) -> list[Record]:
        events = self.truth["events"]
        return [r for r in self.trail if f"{r['eventID']}|{r['recipientAccountId']}" not in events]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    out = tmp_path_factory.mktemp("world") / "out"
    made = generate(out, SMALL)
    assert not made.dark, "this seed is one with all logs"
    return World(out, made)


def run_apart(out: Path, hash_seed: str, *more: str) -> None:
    command = [sys.executable, "-m", "engine.cli", "simulate", "--days", "1", "--seed", "5", "--scale", "0.05", "--out", str(out), *more]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True)


def test_two_processes_give_equal_bytes(tmp_path: Path) -> None:
    run_apart(tmp_path / "a", "1")
    run_apart(tmp_path / "b", "2")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_a_campaign_does_not_depend_on_the_others(world: World, tmp_path: Path) -> None:
    generate(tmp_path / "alone", Plan(days=2, seed=SEED, scale=0.15, campaigns=("d05",)))
    alone = orjson.loads((tmp_path / "alone" / "truth.json").read_bytes())
    mine = {uid: where for uid, where in world.truth["events"].items() if where["campaign"] == "d05"}
    assert mine == {uid: where for uid, where in alone["events"].items() if where["campaign"] == "d05"}
    assert {c["campaign"] for c in alone["campaigns"] if c["attack"]} == {"d05"}


def test_no_two_campaigns_make_one_user() -> None:
    """Attackers do not share what they make: a user of that name in that account is one campaign's alone."""
    makers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for seed in range(10):
        company = build(seed, 1.0)
        for one in play(Plan(days=2, seed=seed, campaigns=(*CAMPAIGNS, *REPORTS)), company)[0]:
            made = [entry.record for stage in one.stages for entry in stage.entries if entry.record.get("eventName") == "CreateUser"]
            for record in made:
                if not record.get("errorCode"):
                    makers[f"{seed} {record['recipientAccountId']}", record["requestParameters"]["userName"]].append(one.uid)
    assert {"d01", "d06", "d10", "d15", "d22"} <= {uid for uids in makers.values() for uid in uids}
    assert {named: uids for named, uids in makers.items() if len(uids) > 1} == {}


def test_a_change_of_what_a_trail_keeps_says_what_it_keeps(world: World) -> None:
    changed = [r["requestParameters"] for r in world.trail if r["eventName"] == "PutEventSelectors"]
    for seed in range(12):
        stages = [stage for one in play(Plan(days=1, seed=seed, campaigns=("d27",)), build(seed, 1.0))[0] for stage in one.stages]
        found = [entry.record for stage in stages for entry in stage.entries if entry.record.get("eventName") == "PutEventSelectors"]
        changed += [record["requestParameters"] for record in found]
    assert len(changed) > 1
    assert all(set(kept) >= {"readWriteType", "includeManagementEvents"} for params in changed for kept in params["eventSelectors"])
    assert all(params["eventSelectors"] and params["trailName"] for params in changed)


def test_attacks_vary_with_the_seed() -> None:
    told: dict[str, set[Any]] = defaultdict(set)
    for seed in range(6):
        for one in play(Plan(days=1, seed=seed, campaigns=("d01", "d11", "d27")), build(seed, 1.0))[0]:
            if one.attack:
                told[one.uid].add((len(one.stages), sum(len(stage.entries) for stage in one.stages), one.stages[0].entries[0].time))
                told["paces"].add(one.pace)
                told["principals"].update(one.principals)
        told["dark"].update(dark(seed))
    assert all(len(told[name]) == 6 for name in ("d01", "d11", "d27"))
    assert told["paces"] == {"fast", "steady", "slow"}
    assert len(told["principals"]) > 10
    assert told["dark"]
    assert told["dark"] <= set(DARK)


def test_scenarios_are_registered_under_their_file_names() -> None:
    for folder, names, load in (("campaigns", (*CAMPAIGNS, *REPORTS), campaign), ("decoys", DECOYS, decoy)):
        files = {path.stem for path in (ROOT / "engine/simulate" / folder).glob("*.py")} - {"__init__", "moves"}
        assert files == set(names)
        assert all(load(name).attack is (folder == "campaigns") for name in names)
    assert len(CAMPAIGNS) >= 25
    assert len(REPORTS) >= 8
    assert len(DECOYS) >= 10


def test_the_generator_knows_nothing_of_the_rules() -> None:
    allowed = ("engine.simulate", "engine.errors")
    for path in (ROOT / "engine/simulate").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert all(name and (not name.startswith(("engine", "connectors", "detections")) or name.startswith(allowed)) for name in names), path


def test_campaigns_have_stages_and_links_across_clouds(world: World) -> None:
    attacks = [one for one in world.truth["campaigns"] if one["attack"]]
    assert {one["campaign"] for one in attacks} == set(CAMPAIGNS)
    found: Counter[tuple[str, int]] = Counter((where["campaign"], where["stage"]) for where in world.truth["events"].values())
    for one in attacks:
        assert len(one["stages"]) >= 2
        for stage in one["stages"]:
            assert found[one["campaign"], stage["stage"]] == stage["delivered"] == stage["events"] > 0
            assert stage["tags"]
            assert stage["first_time"] <= stage["last_time"]
        starts = [stage["first_time"] for stage in one["stages"]]
        assert starts == sorted(starts)
        assert one["principals"]
        assert one["actor"]
    crossing = {one["campaign"] for one in attacks for link in one["links"] if link["cross_cloud"]}
    kinds = {link["kind"]: link["proof"] for one in world.truth["campaigns"] for link in one["links"]}
    assert kinds["oidc"] == kinds["saml"] == kinds["token_exchange"] == "identity"
    assert kinds["same_actor"] == "behaviour"
    assert {"d04", "d05", "d06", "d07", "d08", "d11", "d12", "d24", "d25", "d27", "d28", "d29", "d30"} <= crossing
    shared = [one for one in attacks if "one NAT with another campaign" in one["variations"]]
    assert len(shared) == 2
    assert shared[0]["actor"] != shared[1]["actor"]


def test_scenarios_after_reports_are_whole_and_vary() -> None:
    shapes: dict[str, set[Any]] = defaultdict(set)
    shared: set[str] = set()
    for seed in range(4):
        plan = Plan(days=3, seed=seed, campaigns=REPORTS)
        for one in (one for one in play(plan, build(seed, 1.0))[0] if one.attack):
            times = [entry.time for stage in one.stages for entry in stage.entries]
            assert plan.start <= min(times) <= max(times) < plan.start + timedelta(days=3)
            assert len(one.stages) >= 2
            assert all(stage.tags and stage.entries for stage in one.stages)
            assert one.principals
            shapes[one.uid].add((len(one.stages), len(times), times[0]))
            shared.update(one.uid for variation in one.variations if variation == "one NAT with another campaign")
    assert set(shapes) == set(REPORTS)
    assert all(len(found) == 4 for found in shapes.values())
    assert len(shared) >= 2


def test_victims_of_one_scenario_are_not_those_of_the_next() -> None:
    told = [one for one in play(Plan(days=3, seed=SEED, campaigns=REPORTS), build(SEED, 1.0))[0] if one.attack]
    owners: dict[str, set[str]] = defaultdict(set)
    for one in told:
        for name in one.principals:
            if "@" in name or name.endswith("-sp"):
                owners[name].add(one.uid)
    assert len(owners) > 5
    assert all(len(uids) == 1 for uids in owners.values()), owners


def test_every_aws_session_was_issued_before_it_acts(world: World) -> None:
    issued: dict[str, tuple[str, str]] = {}
    for record in world.trail:
        said = record.get("responseElements") or {}
        credentials = said.get("credentials") or {}
        if "accessKeyId" in credentials:
            who = said.get("assumedRoleUser", {}).get("assumedRoleId") or record["userIdentity"]["principalId"]
            issued[credentials["accessKeyId"]] = (record["eventTime"], who)
    acting = [r for r in world.trail if str(r["userIdentity"].get("accessKeyId", "")).startswith("ASIA")]
    assert len(acting) > 1000
    for record in acting:
        since, who = issued[record["userIdentity"]["accessKeyId"]]
        assert who == record["userIdentity"]["principalId"]
        used = datetime.fromisoformat(record["eventTime"]) - datetime.fromisoformat(since)
        limit = 12 * 3600 if record["userIdentity"]["type"] == "IAMUser" else 3600
        assert 0 <= used.total_seconds() <= limit, record["eventName"]


def test_keys_made_in_attacks_are_the_keys_used(world: World) -> None:
    made = {
        r["responseElements"]["accessKey"]["accessKeyId"]
        for r in world.trail
        if r["eventName"] == "CreateAccessKey" and (r["responseElements"] or {}).get("accessKey")
    }
    used = {r["userIdentity"].get("accessKeyId") for r in world.trail}
    assert len(made & used) >= 3


def test_calls_between_accounts_stand_in_both(world: World) -> None:
    shared: dict[str, set[str]] = defaultdict(set)
    for record in world.trail:
        if "sharedEventID" in record and record["userIdentity"].get("accountId") in {r["recipientAccountId"] for r in world.trail[:500]}:
            shared[record["sharedEventID"]].add(record["recipientAccountId"])
    pairs = [accounts for accounts in shared.values() if len(accounts) == 2]
    assert pairs, "d14 goes from one account of the company into another"


def test_azure_tokens_lead_to_sign_ins(world: World) -> None:
    sign_ins = {r["properties"]["id"]: r["properties"] for r in world.records("azure") if r["operationName"] == "Sign-in activity"}
    claims = [r["identity"]["claims"] for r in world.records("azure") if r["category"] == "Administrative"]
    assert len(claims) > 50
    for claim in claims:
        padded = claim["uti"] + "=" * (-len(claim["uti"]) % 4)
        found = sign_ins[str(uuid.UUID(bytes_le=base64.urlsafe_b64decode(padded)))]
        oid = claim["http://schemas.microsoft.com/identity/claims/objectidentifier"]
        assert oid in (found.get("userId"), found.get("servicePrincipalId"))


def test_federation_names_the_same_subject_on_both_sides(world: World) -> None:
    tenant = next(world.records("azure/insights-logs-signinlogs"))["tenantId"]
    people = {r["properties"].get("userPrincipalName") for r in world.records("azure/insights-logs-signinlogs")}
    saml = [r for r in world.trail if r["eventName"] == "AssumeRoleWithSAML"]
    assert saml
    assert all(r["responseElements"]["issuer"] == f"https://sts.windows.net/{tenant}/" for r in saml)
    assert all(r["responseElements"]["subject"] in people for r in saml)
    oidc = {
        r["responseElements"]["credentials"]["accessKeyId"]: r["responseElements"]
        for r in world.trail
        if r["eventName"] == "AssumeRoleWithWebIdentity"
    }
    used = [r["userIdentity"] for r in world.trail if r["userIdentity"].get("accessKeyId") in oidc]
    assert used
    for identity in used:
        data = identity["sessionContext"]["webIdFederationData"]
        assert oidc[identity["accessKeyId"]]["subjectFromWebIdentityToken"] in data["attributes"].values()


def test_delegated_calls_in_gcp_follow_the_token(world: World) -> None:
    tokens: dict[tuple[str, str], str] = {}
    exchanged: set[str] = set()
    entries = sorted((r["timestamp"], r["protoPayload"]) for r in world.records("gcp/cloudaudit.googleapis.com"))
    delegated = 0
    for when, body in sorted(entries, key=lambda entry: str(entry[0])):
        who = body["authenticationInfo"]
        if body["methodName"].endswith("ExchangeToken"):
            exchanged.add(body["metadata"]["mapped_principal"])
        if body["methodName"] in ("GenerateAccessToken", "GenerateIdToken") and "request" in body:
            tokens[body["request"]["name"].split("/")[-1], who["principalSubject"]] = when
            assert "://" not in who["principalSubject"] or who["principalSubject"] in exchanged
        for behind in who.get("serviceAccountDelegationInfo", []):
            delegated += 1
            assert (who["principalEmail"], behind["principalSubject"]) in tokens
    assert delegated > 20


def test_model_calls_meet_by_request_id(world: World) -> None:
    asked = {r["requestID"]: r for r in world.trail if r["eventSource"] == "bedrock.amazonaws.com"}
    logged = [r for r in world.records("aws/AWSLogs") if r.get("schemaType") == "ModelInvocationLog"]
    assert logged
    assert all(asked[r["requestId"]]["userIdentity"]["arn"] == r["identity"]["arn"] for r in logged)


def test_benign_calls_have_the_shares_of_real_trails(world: World) -> None:
    names = Counter(r["eventName"] for r in world.benign)
    total = len(world.benign)
    assert {name for name, _ in names.most_common(12)} >= {"Decrypt", "GetObject", "AssumeRole", "GenerateDataKey"}
    assert 0.05 < names["Decrypt"] / total < 0.3
    assert sum(count for name, count in names.items() if name.startswith(("Describe", "List", "Get"))) / total > 0.35
    assert len(names) > 90
    kinds = Counter(r["userIdentity"].get("type") for r in world.benign)
    assert {"AssumedRole", "IAMUser", "AWSService", "SAMLUser", "WebIdentityUser", "AWSAccount"} <= set(kinds)
    errors = Counter(r["errorCode"] for r in world.benign if "errorCode" in r)
    assert 0.01 < sum(errors.values()) / total < 0.15
    assert {"ThrottlingException", "AccessDenied", "Client.UnauthorizedOperation", "NoSuchKey"} <= set(errors)
    assert 0.6 < sum(r["responseElements"] is None for r in world.benign) / total < 0.99
    assert any(r["requestParameters"] is None for r in world.benign)
    assert any("AWSServiceRoleFor" in str(r["userIdentity"].get("arn")) for r in world.benign)
    assert any(r["userIdentity"].get("invokedBy") == "AWS Internal" for r in world.benign)


def test_most_names_are_rare_as_in_real_trails(world: World) -> None:
    """The one real trail of ordinary work at hand: 260 names in 2,900 records, 71 of them once."""
    management = [r["eventName"] for r in world.benign if r["eventCategory"] == "Management"]
    sample = Counter(random.Random(1).sample(management, 2900))
    assert 180 < len(sample) < 400
    assert 0.2 < sum(count == 1 for count in sample.values()) / len(sample) < 0.6


def test_some_records_come_twice_and_some_late(world: World) -> None:
    delivered: Counter[bytes] = Counter()
    late = total = 0
    for path in (world.out / "logs/aws").rglob("*_CloudTrail_*.json.gz"):
        stamp = datetime.strptime(path.name.split("_")[3], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
        for record in orjson.loads(read(path))["Records"]:
            delivered[orjson.dumps(record)] += 1
            total += 1
            late += (stamp - datetime.fromisoformat(record["eventTime"])).total_seconds() > 2 * 3600
    assert 0.002 < sum(n - 1 for n in delivered.values()) / total < 0.03
    assert 0 < late / total < 0.05


def test_people_keep_office_hours(tmp_path: Path) -> None:
    friday = datetime(2026, 3, 6, tzinfo=UTC)
    generate(tmp_path / "w", Plan(days=2, seed=SEED, scale=0.3, campaigns=(), start=friday))
    days: Counter[int] = Counter()
    hours: Counter[bool] = Counter()
    for path in (tmp_path / "w/logs/azure/insights-logs-signinlogs").rglob("PT1H.json"):
        for line in path.read_bytes().splitlines():
            when = datetime.fromisoformat(orjson.loads(line)["properties"]["createdDateTime"][:19])
            days[when.weekday()] += 1
            hours[when.hour >= 22 or when.hour < 4] += 1
    assert days[5] < 0.3 * days[4]
    assert hours[True] < 0.4 * hours[False]


def test_every_address_is_for_documentation(world: World) -> None:
    found: set[bytes] = set()
    for path in (world.out / "logs").rglob("*"):
        if path.is_file():
            found.update(ADDRESS.findall(read(path)))
    versions = {b"0.44.20104.0", b"169.254.170.2", b"134.0.0.0"}
    outside = [a for a in found - versions if not a.endswith(b".0.0.0") and not any(ip_address(a.decode()) in net for net in DOCUMENTATION)]
    assert outside == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: Plan(days=0), "--days"),
        (lambda plan: Plan(scale=0), "--scale"),
        (lambda plan: Plan(scale=float("nan")), "--scale"),
        (lambda plan: Plan(seed=-1), "--seed"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(tmp_path: Path, change: Callable[[Plan], Plan], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        generate(tmp_path / "out", change(Plan()))
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot make .*file/out: .*name another directory"):
        generate(tmp_path / "file" / "out", SMALL)


def test_a_company_without_data_events_has_none_of_them(tmp_path: Path) -> None:
    seed = next(seed for seed in range(100) if dark(seed) == ("aws.data_events",))
    generate(tmp_path / "out", Plan(days=1, seed=seed, scale=0.05, campaigns=("d16", "d17")))
    world = World(tmp_path / "out", None)  # type: ignore[arg-type]
    assert world.trail
    assert all(record["eventCategory"] == "Management" for record in world.trail)
    assert set(world.truth["switched_off"]) == {"aws.data_events"}
    unseen = [stage for one in world.truth["campaigns"] if one["attack"] for stage in one["stages"] if not stage["delivered"]]
    assert len(unseen) >= 4
    seen = {f"{record['eventID']}|{record['recipientAccountId']}" for record in world.trail}
    told = {uid for uid, where in world.truth["events"].items() if where["campaign"] in ("d16", "d17")}
    assert told
    assert told <= seen


def test_slow_attackers_take_their_time() -> None:
    spans: dict[str, list[float]] = defaultdict(list)
    for seed in range(8):
        plan = Plan(days=5, seed=seed, campaigns=("d01", "d06", "d21"))
        for one in (one for one in play(plan, build(seed, 1.0))[0] if one.attack):
            times = sorted(entry.time for stage in one.stages for entry in stage.entries)
            assert times[-1] < plan.start + timedelta(days=5)
            spans[one.pace].append((times[-1] - times[0]).total_seconds() / 3600)
    assert max(spans["fast"]) < 8
    assert min(spans["slow"]) > 8


def test_names_of_campaigns() -> None:
    assert chosen("all") == CAMPAIGNS
    assert chosen("none") == ()
    assert chosen("reports") == REPORTS
    assert chosen("D05, d01,r02,d05") == ("d05", "d01", "r02")
    for wrong in ("d99", "", "d01,x"):
        with pytest.raises(UsageError, match="choose all, reports, none or some of d01,"):
            chosen(wrong)


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(UsageError, match="not an empty directory"):
        generate(tmp_path, SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
