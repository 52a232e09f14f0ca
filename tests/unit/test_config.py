"""crosswind.toml: what is read, what the environment changes, what is refused and where, and that no secret is shown."""

from __future__ import annotations

import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.transports import TRANSPORTS as REAL_TRANSPORTS
from engine.config import Config, SinkConfig, load_config
from engine.config.keys import TRANSPORTS
from engine.config.reading import read_config
from engine.errors import ConfigError

FULL = """
[lake]
path = "data/lake"

[state]
url = "data/state.db"

[rules]
paths = ["rules", "more/rule.yml"]
builtin = false
pipelines = ["ecs_kubernetes", "pipes/own.yml"]
min_level = "medium"

[rules.variables]
admins = ["alice@example.com", "bob@example.com"]
root = "root"

[redaction]
show_content = true

[limits]
horizon = "3d"
hit_retention = "14d"
threads = 2

[source.trail]
path = "logs/*.gz"
source = "aws.cloudtrail"
lateness = "15m"

[source.more]
path = ["/var/log/a", "b"]
transport = "files"

[sink.siem]
type = "elasticsearch"
hosts = ["https://one:9200", "https://two:9200"]
api_key = { env = "ES_KEY" }
ca_certs = "ca.pem"
bulk_bytes = "2 MiB"
timeout = "1m"

[sink.copy]
type = "file"
path = "out/alerts.ndjson"

[sink.chat]
type = "webhook"
url = { file = "hook" }
style = "slack"

[job.detect]
command = "run"
every = "5m"
jitter = "10s"

[job.tidy]
command = ["lake", "compact"]
cron = "0 3 * * *"
timezone = "Europe/Berlin"
coalesce = false
max_runtime = "1h"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "crosswind.toml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, text: str, **environ: str) -> Config:
    return load_config(write(folder, text), environ)


def refused(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **environ)
    return str(caught.value).removeprefix(f"{folder}/")


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("https://hooks.slack.com/services/T0/B0/xyz\n")
    config = load(tmp_path, FULL, ES_KEY="s3cr3t")
    assert (config.lake, config.state) == (tmp_path / "data/lake", str(tmp_path / "data/state.db"))
    assert config.rules == (tmp_path / "rules", tmp_path / "more/rule.yml")
    assert config.pipelines == ("ecs_kubernetes", str(tmp_path / "pipes/own.yml"))
    assert config.variables == {"admins": ("alice@example.com", "bob@example.com"), "root": ("root",)}
    assert (config.builtin, config.min_level, config.show_content, config.jobs_threads) == (False, "medium", True, 2)
    assert (config.horizon, config.hit_retention) == (timedelta(days=3), timedelta(days=14))
    trail, more = config.sources
    assert (trail.name, trail.path, trail.source, trail.lateness) == (
        "trail",
        (str(tmp_path / "logs/*.gz"),),
        "aws.cloudtrail",
        timedelta(minutes=15),
    )
    assert more.path == ("/var/log/a", str(tmp_path / "b"))
    siem, copy, chat = config.sinks
    assert siem.options["api_key"] == "s3cr3t"
    assert dict(siem.options) == {
        "hosts": ("https://one:9200", "https://two:9200"),
        "namespace": "default",
        "api_key": "s3cr3t",
        "ca_certs": tmp_path / "ca.pem",
        "verify_certs": True,
        "timeout": 60.0,
        "bulk_bytes": 2 << 20,
        "bulk_documents": 500,
    }
    assert copy.options["path"] == tmp_path / "out/alerts.ndjson"
    assert chat.options["url"] == "https://hooks.slack.com/services/T0/B0/xyz"
    detect, tidy = config.jobs
    assert (detect.command, detect.every, detect.cron, detect.jitter) == (("run",), timedelta(minutes=5), None, timedelta(seconds=10))
    assert (tidy.command, tidy.cron, tidy.timezone, tidy.coalesce) == (("lake", "compact"), "0 3 * * *", "Europe/Berlin", False)
    assert pickle.loads(pickle.dumps(config)) == config


def test_an_empty_file_has_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, "")
    assert (config.lake, config.state) == (tmp_path / "lake", str(tmp_path / "state.db"))
    assert (config.builtin, config.horizon, config.sources, config.sinks, config.jobs) == (True, timedelta(days=7), (), (), ())


def test_no_secret_is_shown(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("https://hooks.slack.com/services/T0/B0/xyz")
    config = load(tmp_path, FULL, ES_KEY="s3cr3t", CROSSWIND_STATE="postgresql://u:pw1@db/x", CROSSWIND_SINK_CHAT_SECRET="s1gn")
    assert config.state == "postgresql://u:pw1@db/x"
    shown = repr(config) + "".join(repr(sink.options) + repr(sink.options.get("timeout")) for sink in config.sinks)
    shown += repr(read_config(tmp_path / "crosswind.toml", {"ES_KEY": "s3cr3t", "CROSSWIND_STATE": "postgresql://u:pw1@db/x"}).settings)
    assert all(word not in shown for word in ("s3cr3t", "pw1", "xyz", "s1gn"))
    assert "bad" not in repr(SinkConfig("x", "webhook", {"secret": "bad"}))


def test_the_environment_wins(tmp_path: Path) -> None:
    text = FULL.replace("url = { file", "url = { env")
    config = load(
        tmp_path,
        text,
        ES_KEY="x",
        hook="https://hooks.example/1",
        CROSSWIND_LAKE="/srv/lake",
        CROSSWIND_STATE="/srv/state.db",
        CROSSWIND_RULES_PATHS="/a, /b",
        CROSSWIND_RULES_BUILTIN="true",
        CROSSWIND_LIMITS_THREADS="8",
        CROSSWIND_SOURCE_TRAIL_PATH="/logs",
        CROSSWIND_SINK_SIEM_API_KEY="given",
        CROSSWIND_SINK_SIEM_HOSTS="https://three:9200",
        CROSSWIND_JOB_DETECT_EVERY="1m",
        CROSSWIND_LIMITS_HORIZON="",
    )
    assert (config.lake, config.state, config.rules) == (Path("/srv/lake"), "/srv/state.db", (Path("/a"), Path("/b")))
    assert (config.builtin, config.jobs_threads, config.horizon) == (True, 8, timedelta(days=3))
    assert config.sources[0].path == ("/logs",)
    assert (config.sinks[0].options["api_key"], config.sinks[0].options["hosts"]) == ("given", ("https://three:9200",))
    assert config.jobs[0].every == timedelta(minutes=1)


def test_a_path_of_the_environment_starts_where_the_command_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path)
    config = load(tmp_path / "deep", "", CROSSWIND_LAKE="lake")
    assert (config.lake, config.state) == (tmp_path / "lake", str(tmp_path / "state.db"))


def test_without_a_file_the_environment_may_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(None, {"CROSSWIND_LAKE": "/srv/lake"})
    assert (config.path, config.lake, config.state) == (None, Path("/srv/lake"), "/srv/state.db")
    with pytest.raises(ConfigError, match=r"crosswind\.toml does not exist; `crosswind config init`"):
        load_config(None, {})
    with pytest.raises(ConfigError, match=r"other\.toml does not exist"):
        load_config(None, {"CROSSWIND_CONFIG": "other.toml", "CROSSWIND_LAKE": "/srv/lake"})
    write(tmp_path, '[lake]\npath = "here"')
    assert load_config(None, {}).lake == tmp_path / "here"


def test_what_hunting_does_not_need_may_be_missing(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    siem, _, chat = config.sinks
    assert siem.options["hosts"]
    with pytest.raises(ConfigError, match=r"crosswind\.toml:\d+: api_key: the environment variable ES_KEY is not set"):
        siem.options.get("api_key")
    with pytest.raises(ConfigError, match="hook cannot be read: No such file"):
        chat.options["url"]
    assert "ES_KEY" in refused(tmp_path, '[state]\nurl = { env = "ES_KEY" }')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lke]", "crosswind.toml:1: unknown section 'lke'; did you mean lake?"),
        ("a = 1", "crosswind.toml:1: unknown section 'a'; there is lake, state, rules, redaction, limits, source, sink, job"),
        ('\n[lake]\npaht = "x"', "crosswind.toml:3: unknown key 'paht' in [lake]; did you mean path?"),
        ('[lake]\npath = ""', "crosswind.toml:2: path is a text that is not empty"),
        ("[[lake]]", "crosswind.toml:1: [lake] is a section that stands once, with its settings below it"),
        ('[[source]]\nname = "x"', "crosswind.toml:1: write [source.NAME], a section for each source, not [[source]]"),
        ('[source]\npath = "x"', "crosswind.toml:2: path does not stand in a section; write [source.NAME] above it, with a name for the source"),
        ('[source."a b"]\npath = "x"', "crosswind.toml:1: 'a b' is no name: letters, digits, - and _, at most 64"),
        ("[source.a]", "crosswind.toml:1: [source.a] needs path (path or list of paths, patterns too)"),
        ('[source.a]\npath = "x"\ntransport = "s3"', "crosswind.toml:3: transport is one of files"),
        ('[source.a]\npath = "x"\nlateness = "soon"', 'crosswind.toml:3: lateness is a time such as "90s", "15m", "2h", "7d" or "4w"'),
        ('[sink.a]\nhost = "x"', "crosswind.toml:1: [sink.a] needs type (elasticsearch · file · webhook)"),
        ('[sink.a]\ntype = "mail"', "crosswind.toml:2: type is one of elasticsearch, file, webhook"),
        (
            '[sink.a]\ntype = "file"\npath = "x"\nhosts = "x"',
            "crosswind.toml:4: unknown key 'hosts' in [sink.a]; there is type, path, max_bytes, keep",
        ),
        (
            '[sink.a]\ntype = "elasticsearch"\nhosts = "https://a"\napi_key = "abc"',
            'crosswind.toml:4: api_key is a secret and does not belong in this file; write api_key = { env = "CROSSWIND_SINK_A_API_KEY" } or '
            '{ file = "path" }',
        ),
        (
            '[sink.a]\ntype = "elasticsearch"\nhosts = "https://u:abc@a"',
            "crosswind.toml:3: hosts has a password in it, which does not belong in this file; use the settings there are for it",
        ),
        (
            '[state]\nurl = "postgresql://u:abc@db/x"',
            "crosswind.toml:2: url has a password in it, which does not belong in this file; "
            'write url = { env = "CROSSWIND_STATE" } or { file = "path" }',
        ),
        (
            '[sink.a]\ntype = "webhook"\nurl = "https://hooks.slack.com/abc"\nstyle = "slack"',
            "crosswind.toml:3: the address of a Slack webhook is a secret and does not belong in this file; write url = { env = "
            '"CROSSWIND_SINK_A_URL" } or { file = "path" }',
        ),
        ('[sink.a]\ntype = "webhook"\nurl = "ftp://x"', "crosswind.toml:3: url is an address that begins with https:// or http://"),
        ('[state]\nurl = { envv = "X" }', 'crosswind.toml:2: url: a reference is { env = "NAME" } or { file = "path" }'),
        ('[job.a]\ncommand = "run"', "crosswind.toml:1: [job.a] needs every or cron, and not both"),
        ('[job.a]\ncommand = "run"\nevery = "0s"', "crosswind.toml:3: every is longer than nothing"),
        ('[job.a]\ncommand = "run"\ncron = "daily"', 'crosswind.toml:3: cron has five fields, such as "*/5 * * * *"'),
        (
            '[job.a]\ncommand = "run"\nevery = "1h"\ntimezone = "Mars"',
            'crosswind.toml:4: timezone is a name of the IANA time zone database, such as "Europe/Berlin"',
        ),
        (
            '[limits]\nhorizon = "60d"',
            "crosswind.toml:2: horizon is longer than hit_retention: late data cannot revise results whose hits are gone",
        ),
        ("[limits]\nthreads = true", "crosswind.toml:2: threads is a whole number of 1 or more"),
        ('[rules]\nmin_level = "huge"', "crosswind.toml:2: min_level is one of informational, low, medium, high, critical"),
        ("[lake]\npath = what", "crosswind.toml:2: not valid TOML: Invalid value"),
        ("[lake]\nx = 1\n[lakes]", "crosswind.toml:3: unknown section 'lakes'; did you mean lake? (and 1 more: `crosswind config check` lists them)"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, text) == message


def test_no_message_repeats_a_secret(tmp_path: Path) -> None:
    for text in (
        '[sink.a]\ntype = "elasticsearch"\nhosts = "https://u:s3cr3t@a"\npassword = "s3cr3t"\nusername = "u"',
        '[state]\nurl = "postgresql://u:s3cr3t@db/x"',
        '[sink.a]\ntype = "webhook"\nurl = "hooks/s3cr3t"\nsecret = "s3cr3t"',
    ):
        assert "s3cr3t" not in "".join(read_config(write(tmp_path, text), {}).problems)
        assert "s3cr3t" not in refused(tmp_path, text)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, "", CROSSWIND_LIMITS_THREADS="many") == "$CROSSWIND_LIMITS_THREADS: threads is a whole number of 1 or more"
    text = '[source.a]\npath = "x"\n[source.a-b]\npath = "x"\n[source.a_b]\npath = "y"\n'
    assert refused(tmp_path, text, CROSSWIND_SOURCE_A_B_PATH="z") == (
        "$CROSSWIND_SOURCE_A_B_PATH could mean source.a-b.path or source.a_b.path; give one of them another name"
    )


def test_variables_nobody_reads_are_known(tmp_path: Path) -> None:
    path = write(tmp_path, FULL)
    environ = {"CROSSWIND_SINK_SIEM_API_KEYS": "x", "CROSSWIND_CACHE": "y", "CROSSWIND_LAKE_PATH": "z", "CROSSWIND_SOURCE_TRAIL_PATH": "p"}
    assert read_config(path, environ).unused == ("CROSSWIND_LAKE_PATH", "CROSSWIND_SINK_SIEM_API_KEYS")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "bytes.toml", {})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path, {})


def test_transports_are_those_that_exist() -> None:
    assert set(TRANSPORTS) == set(REAL_TRANSPORTS)
