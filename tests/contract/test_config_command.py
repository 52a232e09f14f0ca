"""`crosswind config`: what it writes, finds and shows, as a person meets it."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from engine.cli.config import config
from engine.config import load_config
from engine.config.reading import read_config
from engine.errors import ConfigError
from engine.pipeline.config_check import check_config
from engine.report.findings import Severity

COMMANDS = ("run", "lake", "state", "sinks")

app = typer.Typer()
app.add_typer(config, name="config")
app.command("run")(lambda: None)


def invoke(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(app, ["config", *arguments], env={"CROSSWIND_CONFIG": "", "CROSSWIND_LAKE": "", **environ}, standalone_mode=False)


def write(folder: Path, text: str) -> Path:
    path = folder / "crosswind.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def found(folder: Path, text: str, **environ: str) -> list[tuple[str, str]]:
    path = write(folder, text)
    findings = check_config(read_config(path, environ), COMMANDS)
    return [(finding.severity.value, f"{finding.place or ''} {finding.message}".replace(f"{folder}/", "").strip()) for finding in findings]


SOURCE = '[source.a]\npath = "."\n[rules]\nbuiltin = false\npaths = "rule.yml"\n'
RULE = """
title: Trail stopped
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: StopLogging}, condition: s}
level: high
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rule.yml").write_text(RULE)
    return tmp_path


def test_init_writes_a_private_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.umask(os.umask(0))
    result = invoke("init")
    assert result.return_value == 0, result.output
    path = tmp_path / "crosswind.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_config(path, {}).lake == tmp_path / "lake"
    before = path.read_bytes()
    again = invoke("init")
    assert isinstance(again.exception, ConfigError)
    assert "exists already" in str(again.exception)
    assert path.read_bytes() == before
    assert isinstance(invoke("init", "no/such/folder.toml").exception, ConfigError)


def test_a_sound_configuration_has_nothing_to_say(folder: Path) -> None:
    assert found(folder, SOURCE) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[rules]\nbuiltin = false\n", [("warning", "crosswind.toml:1 no rules: builtin is false"), ("warning", "no [source.NAME]")]),
        ('[source.b]\npath = "gone"\n', [("error", "crosswind.toml:6 gone does not exist")]),
        ('[source.b]\npath = "*.gone"\n', [("warning", "crosswind.toml:6 *.gone matches no file now")]),
        ('[source.b]\npath = "-"\n', [("error", "crosswind.toml:6 standard input cannot be read again and again")]),
        ('[source.b]\npath = "."\nsource = "aws.cloudtrial"\n', [("error", "'aws.cloudtrial'; did you mean aws.cloudtrail?")]),
        ('[lake]\npath = "rule.yml"\n', [("error", "lake: rule.yml is not a folder")]),
        ('[lake]\npath = "rule.yml/deep"\n', [("error", "lake: rule.yml/deep cannot be made: rule.yml is not a folder"), ("error", "state: ")]),
        ('[state]\nurl = "."\n', [("error", "is a folder; name a file in it")]),
        ('[state]\nurl = "rule.yml"\n', [("warning", "state: others may read rule.yml")]),
        ('[state]\nurl = "mysql://host/db"\n', [("error", "state: mysql:// is neither a path nor postgresql://")]),
        (
            '[sink.a]\ntype = "elasticsearch"\nhosts = "http://one:9200"\napi_key = { env = "KEY" }\nca_certs = "ca.pem"\nverify_certs = false\n',
            [
                ("error", "crosswind.toml:9: api_key: the environment variable KEY is not set"),
                ("error", "ca_certs: ca.pem cannot be read"),
                ("warning", "verify_certs is false"),
                ("warning", "http:// sends alerts and credentials unencrypted"),
            ],
        ),
        ('[sink.a]\ntype = "webhook"\nurl = { file = "rule.yml" }\n', [("error", "url is an address"), ("warning", "others may read rule.yml")]),
        ('[sink.a]\ntype = "file"\npath = "rule.yml/x"\n', [("error", "rule.yml/x cannot be made")]),
        (
            '[job.a]\ncommand = "runn"\nevery = "5m"\njitter = "5m"\n',
            [("error", "'runn' is no command of crosswind; did you mean run?"), ("warning", "jit")],
        ),
        ('[job.a]\ncommand = "run"\ncron = "0 25 * * *"\n', [("error", "cron '0 25 * * *'")]),
    ],
)
def test_what_can_be_tried_offline_is_tried(folder: Path, text: str, expected: list[tuple[str, str]]) -> None:
    (folder / "rule.yml").chmod(0o644)
    findings = found(folder, text if "[rules]" in text else SOURCE + text)
    assert [severity for severity, _ in findings] == [severity for severity, _ in expected]
    for (_, message), (_, part) in zip(findings, expected, strict=True):
        assert part in message


def test_rules_are_loaded(folder: Path) -> None:
    (folder / "rule.yml").write_text(RULE.replace("condition: s", "condition: t"))
    ((severity, message),) = found(folder, SOURCE)
    assert severity == Severity.ERROR.value
    assert "rule.yml" in message
    (folder / "rule.yml").unlink()
    ((severity, message),) = found(folder, SOURCE)
    assert (severity, "rule.yml" in message) == ("error", True)


def test_variables_that_mean_nothing_and_loose_rights_are_named(folder: Path) -> None:
    assert found(folder, SOURCE, CROSSWIND_SOURCE_B_PATH="x") == [
        ("warning", "$CROSSWIND_SOURCE_B_PATH is set, but is no setting of this configuration")
    ]
    write(folder, SOURCE).chmod(0o666)
    findings = check_config(read_config(folder / "crosswind.toml", {}), COMMANDS)
    assert "others may write to it" in findings[0].message


def test_check_names_everything_and_ends_with_two(folder: Path) -> None:
    path = write(folder, SOURCE + '[lake]\npaht = "x"\n[stat]\n')
    result = invoke("check", "--config", str(path))
    assert result.return_value == 2
    assert "unknown key 'paht'" in result.output
    assert "unknown section 'stat'" in result.output
    assert result.output.endswith("configuration: 2 errors\n")
    document = json.loads(invoke("check", "-c", str(path), "--format", "json").output)
    assert (document["errors"], len(document["findings"])) == (2, 2)
    assert invoke("check", CROSSWIND_CONFIG=str(write(folder, SOURCE))).output == "configuration: nothing to say\n"


def test_show_says_what_holds_and_where_it_comes_from(folder: Path) -> None:
    text = SOURCE + '[sink.chat]\ntype = "webhook"\nurl = "https://example.com/hidden"\nsecret = { env = "S1" }\n'
    path = write(folder, text)
    environ = {"CROSSWIND_STATE": "postgresql://u:hidden@db/x", "CROSSWIND_LIMITS_THREADS": "3", "S1": "hidden"}
    result = invoke("show", "-c", str(path), **environ)
    assert result.return_value == 0, result.output
    assert "hidden" not in result.output
    shown = tomllib.loads(result.output)
    assert shown["lake"] == {"path": str(folder / "lake")}
    assert shown["state"] == {"url": "postgresql://u:***@db/x"}
    assert shown["sink"]["chat"]["url"] == "https://example.com/***"
    assert shown["sink"]["chat"]["secret"] == {"env": "S1"}
    assert any(line.startswith("threads = 3") and line.endswith("# $CROSSWIND_LIMITS_THREADS") for line in result.output.splitlines())
    assert any(line.startswith("path = [") and line.endswith(f"# {path}:2") for line in result.output.splitlines())
    document = json.loads(invoke("show", "-c", str(path), "--format", "json", **environ).output)
    assert document["settings"] == shown
    assert document["origins"]["lake.path"] == "default"
    assert document["origins"]["sink.chat.secret"] == f"{path}:9"


def test_what_is_shown_is_a_configuration(folder: Path) -> None:
    path = write(folder, SOURCE)
    other = folder / "other"
    other.mkdir()
    again = other / "crosswind.toml"
    again.write_text(invoke("show", "-c", str(path)).output)
    one, two = load_config(path, {}), load_config(again, {})
    assert (one.lake, one.state, one.sources, one.rules) == (two.lake, two.state, two.sources, two.rules)
