"""`crosswind hunt`: the lake asked by SQL, saved hunts and rules, from the command line and from Python."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from connectors.sources import load_mappings
from engine import bundled, open_lake
from engine.documents.rows import may_hold_content, redacted
from engine.errors import ConfigError, UsageError
from engine.hunt.plan import asked_range
from engine.hunt.saved import next_steps, read_hunt
from engine.hunt.session import Bounds
from engine.hunt.sql import compile_sql
from engine.pipeline import ScanResult
from engine.pipeline.hunts.hunting import OpenLake, saved_hunts
from engine.pipeline.hunts.records import Objects
from engine.sigma.load import load
from engine.sigma.tree import Rule
from engine.store.lake import Lake
from engine.store.records import BatchResult, Plan
from engine.store.state import State
from tests.conftest import ROOT, Ran
from tests.lakes import NOW, lake_of, sample_lake
from tests.notebooks import run_cells

Cli = Callable[..., Ran]
KEY = "AKIABTX3GSDSQNOTREAL"
BEN = "arn:aws:iam::111122223333:user/ben.okafor"
PROMPT = '"message_context.prompt_text"'


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return sample_lake(tmp_path_factory.mktemp("hunting") / "lake")


@pytest.fixture(scope="module")
def opened(lake: Lake) -> OpenLake:
    return open_lake(lake.path)


def counted(opened: OpenLake, sql: str, **options: object) -> int:
    return int(opened.sql(sql, **options).rows.item())  # type: ignore[arg-type]


# --- SQL ------------------------------------------------------------------------------------------------------------------------------------------


def test_views_hold_what_the_lake_holds(lake: Lake, opened: OpenLake) -> None:
    rows = lake.extent("events").rows
    assert counted(opened, "select count(*) from events") == rows
    assert counted(opened, 'select count(*) from events where "x.source" = $s', parameters={"s": "aws.cloudtrail"}) == counted(
        opened, "select count(*) from aws_cloudtrail"
    )
    assert counted(opened, 'select count(*) from "aws.cloudtrail"') == counted(opened, "select count(*) from aws_cloudtrail") > 0
    assert counted(opened, "select count(*) from hits") == 0
    assert counted(opened, "select count(*) from alerts") == 0
    start = datetime(2026, 3, 3, 2, tzinfo=UTC)
    both = counted(opened, "select count(*) from events", start=start) + counted(opened, "select count(*) from events", end=start)
    assert both == rows


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "from '/etc/passwd'",
        "select * from read_csv('https://example.com/a.csv')",
        "select * from glob('/etc/*')",
        "copy (select 1) to 'out.csv'",
        "explain analyze copy (select 1) to 'out.csv'",
        "attach 'other.db'",
        "install httpfs",
        "load httpfs",
        "set lock_configuration = false",
        "set memory_limit = '100GB'",
        "create table t (a int)",
        "select 1; select 2",
        "select * from query('copy (select 1) to ''out.csv''')",
        "select getenv('HOME')",
        "select * from lake",
        "pragma database_list",
        "",
    ],
)
def test_sql_reads_the_lake_and_nothing_else(opened: OpenLake, lake: Lake, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as refused:
        opened.sql(sql)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_sql_cannot_write_into_the_lake(opened: OpenLake, lake: Lake) -> None:
    before = sorted(lake.path.rglob("*"))
    with pytest.raises(UsageError, match="single SELECT"):
        opened.sql(f"copy (select 1) to '{lake.path}/events/x.parquet'")
    assert sorted(lake.path.rglob("*")) == before


def test_values_are_bound_never_pasted(opened: OpenLake) -> None:
    assert opened.hunt("key-use", key="' or true --").is_empty()
    assert counted(opened, 'select count(*) from events where "actor.user.uid" = $who', parameters={"who": "x' or 'a' = 'a"}) == 0


def test_answers_are_bounded_in_rows_time_and_memory(opened: OpenLake) -> None:
    answer = opened.sql("select * from events", bounds=Bounds(rows=7))
    assert (answer.rows.height, answer.more) == (7, True)
    assert not opened.sql("select 1", bounds=Bounds(rows=1)).more
    with pytest.raises(UsageError, match=r"longer than 0\.5 s"):
        opened.sql("select count(*) from range(100000000000) a, range(100) b where a.range % 7 = b.range", bounds=Bounds(seconds=0.5))
    with pytest.raises(UsageError, match="memory"):
        opened.sql("select list(range) from range(30000000)", bounds=Bounds(memory="50MB", spill="1MB"))


@pytest.mark.parametrize(
    ("where", "files"),
    [
        ("", 20),
        ("where \"x.day\" = date '2026-03-03'", 10),
        ("where \"x.source\" = 'aws.cloudtrail'", 2),
        ("where time >= timestamptz '2026-03-03'", 10),
        ("where time between '2026-03-02' and '2026-03-02T20:00:00Z' and \"x.source\" = 'gcp.audit'", 1),
        ("where time >= $since", 10),
        ("where time >= '2026-03-03' or \"x.source\" = 'gcp.audit'", 20),
        ("where not time >= '2026-03-03'", 10),
        ("where time > '2027-01-01'", 0),
    ],
)
def test_conditions_on_day_source_and_time_leave_files_out(opened: OpenLake, where: str, files: int) -> None:
    given = {"since": datetime(2026, 3, 3, tzinfo=UTC)} if "$since" in where else None
    with opened.session() as session:
        plan = session.explain(f"select count(*) from events {where}", given)
        rows = session.query(f"select count(*) from events {where}", given).rows.item()
    scan = [line for line in plan.splitlines() if '"Scanning Files"' in line]
    read = int(scan[0].split('"')[3].split("/")[0]) if scan else files_of(opened, plan)
    assert read == files
    everything = 'select "x.source", "x.day", time from events'  # a scan that no condition reaches leaves out nothing
    with opened.session() as session:
        kept = session.query(f"select count(*) from (select * from ({everything}) order by all limit 100000) {where}", given).rows.item()
    assert rows == kept


def files_of(opened: OpenLake, plan: str) -> int:
    """How many files a plan reads that leaves none out by itself."""
    if "READ_PARQUET" not in plan:
        return 0
    start, end = asked_range(plan)
    return len(opened.lake.files("events", start=start, end=end))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("time >= '2026-03-03 00:00:00+00'::TIMESTAMP WITH TIME ZONE", (3, None)),
        ("((time > '2026-03-03 00:00:00+00'::TIMESTAMP WITH TIME ZONE) AND (a = 'x OR y'))", (3, None)),
        ("((time > '2026-03-03 00:00:00+00'::TIMESTAMP WITH TIME ZONE) OR (a = 'x'))", (None, None)),
        ("(time < '2026-03-04 00:00:00+00'::TIMESTAMP WITH TIME ZONE) AND (time = '2026-03-03 00:00:00+00'::TIMESTAMP WITH TIME ZONE)", (3, 3)),
        ("(NOT (time >= '2026-03-03 00:00:00+00'::TIMESTAMP WITH TIME ZONE))", (None, None)),
        ("\"a.time\" >= '2026-03-03 00:00:00+00'::TIMESTAMP WITH TIME ZONE", (None, None)),
        ("time >= 'infinity'::TIMESTAMP WITH TIME ZONE", (None, None)),
        (None, (None, None)),
    ],
)
def test_only_conditions_that_must_hold_narrow_the_time(filters: str | None, found: tuple[int | None, int | None]) -> None:
    def plan(*scans: str | None) -> str:
        return json.dumps([{"name": "X", "children": [{"name": "READ_PARQUET", "extra_info": {"Filters": each} if each else {}} for each in scans]}])

    days = tuple(None if moment is None else moment.day for moment in asked_range(plan(filters)))
    assert days == found
    assert asked_range(plan(filters, None)) == (None, None)


def test_field_reads_records_as_rules_do(opened: OpenLake) -> None:
    rows = opened.sql(
        "select field(raw_data, 'USERIDENTITY.userName') as who, field(raw_data, 'requestParameters') as given,"
        " field_list(raw_data, 'resources.ARN') as arns, field(raw_data, 'nothing.here') as nothing"
        " from aws_cloudtrail where \"api.operation\" = 'CreateUser'"
    ).rows.to_dicts()
    assert rows == [{"who": "ben.okafor", "given": '{"userName":"svc-bedrock-backup"}', "arns": None, "nothing": None}]
    lists = opened.sql("select field_list(raw_data, 'resources.ARN') as arns from aws_cloudtrail where \"api.operation\" = 'GetObject' limit 1").rows
    assert len(lists["arns"][0]) == 2
    path = "case when \"x.position\" % 2 = 0 then 'eventName' else 'awsRegion' end"
    paths = opened.sql(f'select field(raw_data, {path}) as v, "x.position" % 2 = 0 as even from aws_cloudtrail limit 500').rows
    assert all((value != "us-east-1" and not value.startswith("eu-")) == even for value, even in paths.iter_rows())
    with pytest.raises(UsageError, match=r"^not a record path: 'a\.\.b'$"):
        opened.sql("select field(raw_data, 'a..b') from events")


def test_queries_made_from_rules_run_as_they_are(opened: OpenLake) -> None:
    rule = load(["title: A\nlogsource: {product: aws, service: cloudtrail}\ndetection: {a: {eventName: CreateUser}, condition: a}\n"]).rules[0]
    assert opened.sql(compile_sql(rule, load_mappings().values())).rows.height == 1


# --- saved hunts ----------------------------------------------------------------------------------------------------------------------------------

HUNTS = saved_hunts(None)


def test_there_are_hunts_that_say_what_they_are() -> None:
    assert len(HUNTS) >= 15
    for name, hunt in HUNTS.items():
        assert Path(hunt.path).stem == name
        assert len(hunt.description) > 80
        assert hunt.tests, name
        assert hunt.pivot, name
        for step in hunt.pivot:
            asked = step.split()
            if asked[:3] == ["crosswind", "hunt", "run"]:
                given = {part.partition("=")[0] for part in asked[5::2]}
                assert asked[3] in HUNTS, step
                assert given <= {parameter.name for parameter in HUNTS[asked[3]].parameters}, step


@pytest.mark.parametrize("name", list(HUNTS))
def test_saved_hunts_answer_their_questions(opened: OpenLake, name: str) -> None:
    hunt = HUNTS[name]
    for test in hunt.tests:
        found = opened.hunt(name, **test["parameters"])
        rows = found.to_dicts()
        for wanted in test.get("has", ()):
            assert any(all(row.get(key) == value for key, value in wanted.items()) for row in rows), (wanted, rows[:5])
        assert len(rows) >= test.get("least", 0)
        assert len(rows) == test.get("count", len(rows))
        if rows:
            assert {slot for step in hunt.pivot for slot in slots(step)} <= set(found.columns)
        assert set(hunt.columns) <= set(found.columns)


def slots(step: str) -> list[str]:
    return [part.split("}")[0] for part in step.split("{")[1:]]


def test_values_of_logs_are_quoted_in_pivot_lines() -> None:
    assert next_steps(["crosswind hunt run a --param b={b}"], {"b": "x; rm -rf ~"}) == ["crosswind hunt run a --param b='x; rm -rf ~'"]
    assert next_steps(["a {b}", "c {d}"], {"b": None, "d": ["first", "second"]}) == ["c first"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sql: select 1", "do not agree on key"),
        ("sql: select $key, $other", "do not agree on other"),
        ("colour: red", "unknown key 'colour'"),
        ("name: Key Use", "not made of lower-case"),
        ("parameters: {key: {type: date, description: x}}", "has a type"),
        ("description:", "'description' is missing"),
        ("sigma: |\n  title: A", "either sql or sigma"),
    ],
)
def test_hunts_that_are_wrong_say_where(change: str, said: str) -> None:
    good = {"title": "A", "name": "a", "description": "B", "parameters": "{key: {type: text, description: C}}", "sql": "select $key"}
    key, _, value = change.partition(":")
    text = "".join(f"{name}: {each}\n" for name, each in (good | {key: value.strip(" ")}).items())
    with pytest.raises(UsageError, match=said) as refused:
        read_hunt(text, "hunts/a.yml")
    assert str(refused.value).startswith("hunts/a.yml")


def test_parameters_are_checked(opened: OpenLake) -> None:
    with pytest.raises(UsageError, match="needs --param key"):
        opened.hunt("key-use")
    with pytest.raises(UsageError, match="has no parameter 'kee'"):
        opened.hunt("key-use", kee="x")
    with pytest.raises(UsageError, match="is no number"):
        opened.hunt("big-calls", tokens="many")
    with pytest.raises(UsageError, match="did you mean key-use"):
        opened.hunt("key-user")


# --- rules ----------------------------------------------------------------------------------------------------------------------------------------


def test_rules_over_the_lake_raise_the_alerts_of_a_scan(opened: OpenLake, sample_scan: ScanResult) -> None:
    found = opened.sigma(bundled.detections(), now=NOW)
    assert found.failures == ()

    assert found.alerts == sample_scan.alerts


CREATED = """
title: User created
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: CreateUser, requestParameters.userName|startswith: svc-}
  condition: selection
level: high
"""


def test_any_rule_runs_over_what_is_stored(opened: OpenLake, tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_text(CREATED)
    found = opened.sigma(path, now=NOW)
    assert [alert.rule.title for alert in found.alerts] == ["User created"]
    assert set(found.events) == {"aws.cloudtrail"}
    assert not opened.sigma(path, now=NOW, start=datetime(2026, 3, 3, 3, tzinfo=UTC)).alerts
    assert opened.sigma(CREATED, now=NOW).hits == 1


def test_numbers_of_objects_are_theirs_alone_whatever_thread_asks() -> None:
    numbered = Objects()
    asked = [pl.Series([f"object {n % 97}" for n in range(start, start + 50)]) for start in range(200)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(numbered.numbers, asked))
    pairs = {(uri, number) for uris, numbers in zip(asked, given, strict=True) for uri, number in zip(uris, numbers, strict=True)}
    assert len(pairs) == 97
    assert all(numbered.uri(number) == uri for uri, number in pairs)


def test_a_record_that_cannot_be_worked_on_takes_no_other_with_it(tmp_path: Path) -> None:
    good = (
        '{"eventVersion": "1.1", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "eventTime": "2026-03-01T01:00:00Z", "eventID": "a"}'
    )
    stored = events_of_day(1).with_columns(pl.Series("raw_data", ["{broken", good]))
    found = open_lake(lake_of(stored, tmp_path / "lake").path).sigma(CREATED.replace(", requestParameters.userName|startswith: svc-", ""), now=NOW)
    assert found.hits == 1
    assert len(found.failures) == 1
    assert "logs/a.json, record 0: " in found.failures[0]
    assert [alert.events[0].uid for alert in found.alerts] == ["1-2"]


def test_a_correlation_finds_the_rules_it_names_elsewhere(opened: OpenLake) -> None:
    first = next(rule for rule in bundled_rules() if rule.title == "Model invocation denied")
    text = f"""
title: Denied again and again
correlation:
  type: event_count
  rules: [{first.uid}]
  group-by: [actor.user.uid]
  timespan: 1h
  condition: {{gte: 2}}
level: medium
"""
    found = opened.sigma(text, now=NOW)
    assert found.failures == ()
    assert {alert.rule.title for alert in found.alerts} == {"Denied again and again"}


def bundled_rules() -> tuple[Rule, ...]:
    return load([bundled.detections()]).rules


# --- the command line -----------------------------------------------------------------------------------------------------------------------------


def test_sql_on_the_command_line(cli: Cli, lake: Lake) -> None:
    sql = f'select time, "x.uid", "api.operation", "actor.user.uid" from events where "actor.user.credential_uid" = \'{KEY}\' order by time, "x.uid"'
    ran = cli("hunt", "sql", sql, "--lake", lake.path, "--limit", "2")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 0
    assert len(rows) == 2
    assert rows[0]["time"].endswith("Z")
    assert "there are more" in ran.err
    assert f"next: crosswind hunt show '{rows[0]['x.uid']}'" in ran.err
    table = cli("hunt", "sql", sql, "--lake", lake.path, "--format", "csv")
    assert next(csv.reader(io.StringIO(table.out))) == ["time", "x.uid", "api.operation", "actor.user.uid"]
    assert "2 rows" in cli("hunt", "sql", "-", "--lake", lake.path, "--limit", "2", "--format", "table", stdin=sql.encode()).err
    refused = cli("hunt", "sql", "select nothing from events", "--lake", lake.path)
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "Memory must" in cli("hunt", "sql", "select 1", "--lake", lake.path, "--memory", "much").err
    assert cli("hunt", "sql", "select 1", "--lake", lake.path / "none").code == 3
    assert cli("hunt", "sql", "select 1", "--lake", lake.path, "--from", "yesterday").code == 2


def test_hostile_values_are_neutralised(cli: Cli, lake: Lake) -> None:
    sql = "select chr(27) || '[31mred' as a, '=1+1' as b"
    assert "\x1b" not in cli("hunt", "sql", sql, "--lake", lake.path, "--format", "table").out
    assert "'=1+1" in cli("hunt", "sql", sql, "--lake", lake.path, "--format", "csv").out


@pytest.mark.parametrize(
    "what",
    [
        PROMPT,
        f"{PROMPT} as text",
        f"substring({PROMPT}, 3) as text",
        f"list({PROMPT}) as texts",
        "raw_data",
        "raw_data as r",
        "to_json(e) as all_of_it",
        "e",
        "columns('.*prompt_text') || '' as text",
        "field(raw_data, 'messages') as m",
        "field(raw_data, 'messages.content') as m",
        "*",
    ],
)
def test_prompts_are_redacted_whatever_a_query_calls_them(cli: Cli, lake: Lake, what: str) -> None:
    group = " group by all" if "list(" in what else ""
    sql = f"select {what} from (select * from ai_litellm where {PROMPT} like '%{KEY}%') e{group}"
    shown = cli("hunt", "sql", sql, "--lake", lake.path)
    assert shown.code == 0
    assert shown.out
    assert "aws_secret_access_key" not in shown.out.lower()
    assert "redacted" in shown.out
    assert KEY in cli("hunt", "sql", sql, "--lake", lake.path, "--show-content").out


def test_prompts_are_redacted_in_what_names_no_column(cli: Cli, lake: Lake) -> None:
    rows = {row["column_name"]: row for row in map(json.loads, cli("hunt", "sql", "summarize ai_litellm", "--lake", lake.path).out.splitlines())}
    assert "[redacted" in rows["message_context.prompt_text"]["min"]
    assert "[redacted" in rows["message_context.response_text"]["max"]
    assert rows["x.source"]["min"] == "ai.litellm"


def test_what_may_hold_content() -> None:
    assert may_hold_content("select ...", {"x.uid", "message_context.prompt_text"})
    assert may_hold_content("select raw_data as r from events", {"raw_data"})
    assert may_hold_content("from (select e.* from events e)", {"raw_data"})
    assert may_hold_content("select field(raw_data, 'messages.content') from events", {"raw_data"})
    fields = "select field(raw_data, 'requestParameters.bucketName') as b, field_list(e.\"raw_data\", 'a.b') from events e"
    assert not may_hold_content(fields, {"raw_data"})
    assert may_hold_content(f"{fields}, (select max(raw_data) from events)", {"raw_data"})
    assert not may_hold_content('select 1 from events where "message_context.prompt_text" is null', {"x.uid"})
    assert redacted({"who": "Ada Lovelace"}, content=False) == {"who": "Ada Lovelace"}
    assert redacted({"who": "ada.lovelace", "n": 3}, content=True) == {"who": "ada.lovelace", "n": 3}
    assert "sha256" in redacted({"who": "Ada says hello"}, content=True)["who"]
    assert "sha256" in redacted({"x.fields": '{"messages.content": ["Ada says hello"]}'}, content=False)["x.fields"]
    assert redacted({"x.fields": '{"userIdentity.arn": ["arn:x"]}'}, content=False)["x.fields"] == '{"userIdentity.arn":["arn:x"]}'


def test_saved_hunts_on_the_command_line(cli: Cli, lake: Lake) -> None:
    ran = cli("hunt", "run", "key-use", "--param", f"key={KEY}", "--lake", lake.path)
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 0
    assert {row["actor"] for row in rows} == {BEN}
    assert f"next: crosswind hunt run actor-trail --param actor={BEN}" in ran.err
    assert cli("hunt", "run", "new-clients", "--param", "since=-1d", "--lake", lake.path).code == 0
    assert cli("hunt", "run", "new-clients", "--param", "since", "--lake", lake.path).code == 2
    listed = cli("hunt", "list", "--format", "table")
    assert all(name in listed.out for name in HUNTS)
    assert {json.loads(line)["name"] for line in cli("hunt", "list").out.splitlines()} == set(HUNTS)


def test_rules_on_the_command_line(cli: Cli, lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_text(CREATED)
    ran = cli("hunt", "sigma", path, "--lake", lake.path, "--from", "2026-03-01", "--fail-on", "high")
    assert ran.code == 1
    assert json.loads(ran.out)["rule"]["title"] == "User created"
    assert "1 hits, 1 alerts" in ran.err
    assert "next: crosswind hunt show" in ran.err
    path.write_text(CREATED.replace("eventName", "eventNam"))
    assert cli("hunt", "sigma", path, "--lake", lake.path).code == 3
    assert cli("hunt", "sigma", tmp_path / "none.yml", "--lake", lake.path).code == 2


def test_fields_of_a_source(cli: Cli, lake: Lake) -> None:
    rows = {row["field"]: row for row in map(json.loads, cli("hunt", "fields", "aws.cloudtrail", "--lake", lake.path).out.splitlines())}
    assert rows["api.operation"]["filled"] == 1.0
    assert rows["api.operation"]["kind"] == "column"
    assert rows["userIdentity.accessKeyId"]["kind"] == "native"
    assert 0 < rows["userIdentity.accessKeyId"]["filled"] < 1
    assert rows["eventName"]["top"][0]["value"] == "Decrypt"
    shown = cli("hunt", "fields", "ai.litellm", "--lake", lake.path, "--format", "table").out
    assert "messages.content" in shown
    assert "[redacted:" in shown
    assert "did you mean aws.cloudtrail" in cli("hunt", "fields", "aws.cloudtrial", "--lake", lake.path).err


def test_one_event_and_where_it_came_from(cli: Cli, lake: Lake, opened: OpenLake) -> None:
    uid = opened.sql(f"select \"x.uid\" from ai_litellm where {PROMPT} like '%{KEY}%'").rows.item()
    shown = json.loads(cli("hunt", "show", uid, "--lake", lake.path).out)
    assert shown["x.object"].endswith(".json")
    assert "[redacted" in json.dumps(shown["record"])
    assert KEY in json.dumps(json.loads(cli("hunt", "show", uid, "--lake", lake.path, "--show-content").out)["record"])
    assert shown["record"]["prompt_tokens"] == shown["message_context.prompt_tokens"]
    text = cli("hunt", "show", uid[:12], "--lake", lake.path, "--format", "table")
    assert uid in text.out
    assert cli("hunt", "show", "no-such-event", "--lake", lake.path).code == 2


# --- configuration, state, Python -----------------------------------------------------------------------------------------------------------------


def test_a_configured_lake_and_its_alerts(lake: Lake, tmp_path: Path, sample_scan: ScanResult, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    config = tmp_path / "crosswind.toml"
    config.write_text(f'[lake]\npath = "{lake.path}"\n[state]\nurl = "{tmp_path / "state.db"}"\n')
    monkeypatch.chdir(tmp_path)
    assert open_lake().alerts().collect().is_empty()
    with State.open(tmp_path / "state.db") as state:
        state.write_plan(Plan(1, (), "[]", "d", NOW, "r"))
        state.commit(BatchResult(1, alerts=sample_scan.alerts, incidents=sample_scan.incidents), NOW)
    alerts = open_lake(config=config).alerts().collect()
    assert alerts.height == len(sample_scan.alerts)
    ran = cli("hunt", "sql", "select level, count(*) as n from alerts where list_contains(ips, '198.51.100.23') group by all order by n")
    assert ran.code == 0
    assert sum(json.loads(line)["n"] for line in ran.out.splitlines()) > 5
    incidents = open_lake(config=config).incidents().collect()
    assert incidents.height == len(sample_scan.incidents)
    ran = cli("hunt", "sql", "select a.uid from incidents i join alerts a on list_contains(i.alert_uids, a.uid) where i.score = 100")
    assert len(ran.out.splitlines()) == sum(len(each.alert_uids) for each in sample_scan.incidents if each.score == 100)
    hunts = tmp_path / "rules" / "hunts"
    hunts.mkdir(parents=True)
    (hunts / "mine.yml").write_text("title: Mine\nname: mine\ndescription: All.\nsql: select count(*) as n from events\n")
    config.write_text(f'{config.read_text()}\n[rules]\npaths = ["{tmp_path / "rules"}"]\n')
    assert open_lake().hunt("mine")["n"].item() == lake.extent("events").rows
    assert "mine" in saved_hunts(config)
    (hunts / "rule.yml").write_text("title: A rule\nname: as-rule\ndescription: Users.\nsigma: |\n  " + CREATED.strip().replace("\n", "\n  ") + "\n")
    ran = cli("hunt", "run", "as-rule")
    assert ran.code == 0
    assert json.loads(ran.out)["rule"]["title"] == "User created"


def test_python_gets_frames(opened: OpenLake) -> None:
    frame = opened.events().filter(pl.col("x.source") == "gcp.audit").select("api.operation").collect()
    assert frame.height == 295
    assert opened.hits().collect().is_empty()
    with pytest.raises(UsageError, match="time zone"):
        opened.sql("select 1", start=datetime(2026, 3, 1))
    with pytest.raises(ConfigError):
        open_lake(config="no/such/file.toml")


def test_files_of_an_older_version_lack_columns(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake", create=True)
    for batch in (1, 2):
        with lake.writer("events", batch) as writer:
            writer.write(events_of_day(batch))
            writer.commit("d")
    for lacking in lake.files("events")[:1], lake.files("events")[1:]:
        for path in lacking:
            whole = pl.read_parquet(path, hive_partitioning=False)
            whole.drop("x.role").write_parquet(path)
            found = open_lake(lake.path).sql('select "x.uid", "x.role" from events').rows
            assert found.height == 4
            whole.write_parquet(path)


def events_of_day(day: int) -> pl.DataFrame:
    times = [datetime(2026, 3, day, hour, tzinfo=UTC) for hour in (1, 2)]
    return pl.DataFrame(
        {"time": times, "x.uid": [f"{day}-1", f"{day}-2"], "x.source": "aws.cloudtrail", "raw_data": "{}", "x.role": "r"}
    ).with_columns(pl.lit("logs/a.json").alias("x.object"), pl.int_range(pl.len()).alias("x.position"))


def test_the_look_up_of_fields_is_narrowed_by_conditions_on_columns(opened: OpenLake, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.pipeline.hunts import hunting

    looked: list[int] = []
    read = hunting._cells

    def counting(records: pl.Series, path: str) -> list[str | None]:
        looked.append(records.len())
        return read(records, path)

    monkeypatch.setattr(hunting, "_cells", counting)
    found = opened.sql("select field(raw_data, 'requestParameters.userName') as u from aws_cloudtrail where \"api.operation\" = 'CreateUser'").rows
    assert found["u"].to_list() == ["svc-bedrock-backup"]
    assert sum(looked) == 1


def test_the_notebook_runs_as_it_stands(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lake.path.parent)
    with pl.Config():
        for cell, text in run_cells(ROOT / "docs" / "hunting.ipynb"):
            stored = "".join("".join(output["data"]["text/plain"]) for output in cell["outputs"])
            assert text is not None, cell["source"]
            assert figures(stored) == figures(text), cell["source"]


def figures(text: str) -> list[str]:
    """The numbers of an output: tables are drawn differently by other versions of Polars."""
    return re.findall(r"(?<![\w.-])\d+(?![\w.-])", text)
