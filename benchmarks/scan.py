"""How fast a whole scan is, against the cost of merely parsing its records.

    python benchmarks/scan.py [--events 500000] [--rules 800] [--source aws.cloudtrail] [--keep DIR]

Writes delivery files of one source and Sigma rules for it from a seed, runs `crosswind scan` on them as a separate process with one thread and with
all cores, and in the same run measures the unit: single-threaded `orjson.loads` of every decompressed record, garbage collection off, result dropped,
best of three, interleaved with the scans. Prints one line of JSON; ratios compare between machines, seconds do not.

``ratio``: seconds of the scan on all cores over the unit; ``ratio_1`` the same with one thread. Seconds of a scan are those of the whole process,
interpreter start and loading the rules included; a first scan that is not measured lets them be loaded from the cache. The CloudTrail rules are 86 %
equality, lists, exists and not; 10 % contains on ARN or user agent; 2 % contains on objects; 1 % regular expressions; 1 % keywords; they name 1,000
operations of which 300 occur, as unevenly as in real logs.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import providers  # found from wherever this is run

CLOUDTRAIL = "aws.cloudtrail"
PER_FILE = 5_000
SEED = 7
SERVICES = [f"service{n}.amazonaws.com" for n in range(60)]
VERBS = ("Get", "List", "Describe", "Put", "Create", "Update", "Delete", "Start", "Stop", "Attach")
OPERATIONS = [(SERVICES[n % 60], f"{VERBS[n % 10]}Thing{n}") for n in range(1_000)]
OCCURRING = OPERATIONS[::3][:300]
WEIGHTS = [1 / (rank + 3) for rank in range(300)]


def identifier(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def record(rng: random.Random, number: int, agents: list[str], addresses: list[str]) -> dict[str, Any]:
    service, operation = rng.choices(OCCURRING, WEIGHTS)[0]
    who = rng.randrange(5_000)
    role = f"role-{who % 400}"
    arn = f"arn:aws:sts::111122223333:assumed-role/{role}/session-{who}"
    failed = rng.random() < 0.04
    return {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "AssumedRole" if who % 500 else "Root",
            "principalId": f"AROAEXAMPLE{who % 400:09d}:session-{who}",
            "arn": arn,
            "accountId": "111122223333",
            "accessKeyId": f"ASIAEXAMPLE{who:09d}",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": f"AROAEXAMPLE{who % 400:09d}",
                    "arn": f"arn:aws:iam::111122223333:role/{role}",
                    "accountId": "111122223333",
                    "userName": role,
                },
                "attributes": {"creationDate": "2026-03-01T07:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": f"2026-03-{1 + number // 86_400 % 28:02d}T{number // 3_600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "eventSource": service,
        "eventName": operation,
        "awsRegion": rng.choice(("us-east-1", "eu-west-1", "ap-southeast-2")),
        "sourceIPAddress": rng.choice(addresses),
        "userAgent": rng.choice(agents),
        **({"errorCode": "AccessDenied", "errorMessage": f"User: {arn} is not authorized to perform: {operation}"} if failed else {}),
        "requestParameters": {
            "bucketName": f"bucket-{rng.randrange(10**6)}",
            "key": f"data/{identifier(rng)}.parquet",
            "maxResults": rng.randrange(1_000),
            "tagSet": {"items": [{"key": "team", "value": f"team-{rng.randrange(90)}"}]},
        },
        "responseElements": None if rng.random() < 0.8 else {"x-amz-request-id": identifier(rng), "status": "ok"},
        "requestID": identifier(rng),
        "eventID": identifier(rng),
        "readOnly": operation.startswith(("Get", "List", "Describe")),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": service},
    }


def write_others(folder: Path, events: int, source: str) -> None:
    """Records one a line, as Azure and GCP sinks and Bedrock deliver them."""
    rng = random.Random(SEED)
    folder.mkdir(parents=True)
    for start in range(0, events, PER_FILE):
        lines = [orjson.dumps(providers.RECORDS[source](rng, number)) for number in range(start, min(start + PER_FILE, events))]
        (folder / f"{start // PER_FILE:06d}.json.gz").write_bytes(gzip.compress(b"\n".join(lines) + b"\n", 6, mtime=0))


def write_logs(folder: Path, events: int, source: str) -> None:
    if source != CLOUDTRAIL:
        write_others(folder, events, source)
        return
    rng = random.Random(SEED)
    agents = [f"aws-sdk-go-v2/1.{n % 40}.{n} os/linux lang/go#1.{n % 25} md/GOARCH#amd64 api/svc#{n}" for n in range(3_000)]
    addresses = [f"10.{n // 62_500}.{n // 250 % 250}.{n % 250 + 1}" for n in range(20_000)]
    target = folder / "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01"
    target.mkdir(parents=True)
    for start in range(0, events, PER_FILE):
        records = [record(rng, number, agents, addresses) for number in range(start, min(start + PER_FILE, events))]
        name = f"111122223333_CloudTrail_us-east-1_20260301T{start // PER_FILE:04d}Z_{rng.getrandbits(64):016x}.json.gz"
        (target / name).write_bytes(gzip.compress(orjson.dumps({"Records": records}), 6, mtime=0))


def rule(rng: random.Random, number: int) -> str:
    service, operation = rng.choice(OPERATIONS)
    others = [name for _, name in rng.sample(OPERATIONS, rng.randrange(2, 8))]
    kind = number % 100
    condition = "selection"
    if kind < 40:
        body: dict[str, Any] = {"selection": {"eventSource": service, "eventName": operation, "userIdentity.type": "Root"}}
    elif kind < 60:
        body = {"selection": {"eventSource": service, "eventName": others, "errorCode|exists": True}}
    elif kind < 75:
        body = {"selection": {"eventName": [operation, *others[:2]]}, "filter": {"userIdentity.type": ["AssumedRole", "AWSService"]}}
        condition = "selection and not filter"
    elif kind < 86:
        body = {
            "selection": {
                "eventSource": service,
                "eventName": operation,
                "requestParameters.bucketName": [f"bucket-{rng.randrange(10**6)}" for _ in range(5)],
            }
        }
    elif kind < 91:
        body = {"selection": {"userIdentity.arn|contains": [f"/session-{rng.randrange(5_000)}-admin", f":role/role-{rng.randrange(9_000)}-x"]}}
    elif kind < 96:
        body = {
            "selection": {
                "userAgent|contains": [f"kali-{number}", f"lang/go#1.{rng.randrange(25)}.{number}"],
                "eventName|startswith": rng.choice(VERBS),
            }
        }
    elif kind < 98:
        body = {"selection": {"eventName": [operation, *others], "requestParameters|contains": f"team-{rng.randrange(90)}-secret"}}
    elif kind < 99:
        body = {"selection": {"userAgent|re": f"aws-sdk-(go|java)-v[2-9]/9\\.{rng.randrange(100)}\\.[0-9]+"}}
    else:
        body = {"keywords": [f"never-seen-{number}", f"stolen-{rng.randrange(10**6)}.parquet"]}
        condition = "keywords"
    document = {
        "title": f"Benchmark rule {number}",
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "status": "test",
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": {**body, "condition": condition},
        "level": ("low", "medium", "high")[number % 3],
    }
    return json.dumps(document)


def write_rules(folder: Path, count: int, source: str) -> None:
    rng = random.Random(SEED)
    folder.mkdir()
    for number in range(count):
        (folder / f"rule_{number}.yml").write_text(rule(rng, number) if source == CLOUDTRAIL else providers.rule(rng, number, source))


def unit(files: list[Path]) -> float:
    """Seconds of orjson.loads of every record, alone."""
    total = 0.0
    for file in files:
        text = gzip.decompress(file.read_bytes())
        records = [orjson.dumps(item) for item in orjson.loads(text)["Records"]] if text.startswith(b'{"Records":[') else text.splitlines()
        gc.disable()
        for text in records:
            started = time.perf_counter()
            orjson.loads(text)
            total += time.perf_counter() - started
        gc.enable()
    return total


def environment(work: Path) -> dict[str, str]:
    """That of the measured processes: modules are compiled once, by the first, as they are where crosswind is installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": str(work / "compiled")}


def scan(logs: Path, rules: Path, jobs: int | None, work: Path) -> tuple[float, float, dict[str, Any]]:
    """Wall seconds and peak RSS in MB of the whole process, and its summary."""
    summary = work / "summary.json"
    command = [sys.executable, "-m", "engine.cli", "scan", str(logs), "--no-builtin", "--rules", str(rules), "-o", str(work / "alerts.ndjson")]
    command += ["--summary", str(summary), *(["--jobs", str(jobs)] if jobs else [])]
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=Path(__file__).resolve().parents[1], env=environment(work))
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"scan failed:\n{errors.decode()}")
    return wall, usage.ru_maxrss / 1024, json.loads(summary.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rules", type=int, default=800)
    parser.add_argument("--source", default=CLOUDTRAIL, choices=(CLOUDTRAIL, *providers.RECORDS))
    parser.add_argument("--keep", type=Path, help="folder for the generated input; used again when it exists")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosswind-bench-") as temporary:
        work = Path(temporary)
        base = arguments.keep or work
        kind = "" if arguments.source == CLOUDTRAIL else f"-{arguments.source}"
        logs, rules = base / f"logs{kind}-{arguments.events}", base / f"rules{kind}-{arguments.rules}"
        if not logs.exists():
            write_logs(logs, arguments.events, arguments.source)
        if not rules.exists():
            base.mkdir(parents=True, exist_ok=True)
            write_rules(rules, arguments.rules, arguments.source)
        files = sorted(logs.rglob("*.json.gz"))
        scan(files[0], rules, 1, work)
        units, ones, alls = [], [], []
        for _ in range(3):
            units.append(unit(files))
            alls.append(scan(logs, rules, None, work))
            units.append(unit(files))
            ones.append(scan(logs, rules, 1, work))
        best_unit = min(units)
        best_all, best_one = (min(runs, key=lambda run: run[0]) for runs in (alls, ones))
        net, net_one = best_all[0], best_one[0]
        report = best_all[2]
        print(
            json.dumps(
                {
                    "source": arguments.source,
                    "events": report["events"],
                    "rules": arguments.rules,
                    "hits": report["hits"],
                    "alerts": report["alerts"],
                    "cores": os.cpu_count(),
                    "unit_seconds": round(best_unit, 3),
                    "seconds": round(net, 3),
                    "seconds_1": round(net_one, 3),
                    "ratio": round(net / best_unit, 2),
                    "ratio_1": round(net_one / best_unit, 2),
                    "loading_seconds": round(report["seconds_loading"], 3),
                    "events_per_second": round(report["events"] / net),
                    "mb_per_second": round(report["bytes_decompressed"] / net / 1e6, 1),
                    "peak_rss_mb": round(max(run[1] for run in alls)),
                    "peak_rss_mb_1": round(max(run[1] for run in ones)),
                }
            )
        )


if __name__ == "__main__":
    main()
