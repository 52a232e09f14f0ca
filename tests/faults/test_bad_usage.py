"""Wrong rules and wrong options: named with place and way out, before or beside the work that can be done."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.cli.app import run as main
from engine.errors import UsageError
from engine.pipeline import Settings
from tests.logs import command, delivered, event, titles

NOW = datetime(2026, 3, 2, tzinfo=UTC)
HEAD = "logsource: {product: aws, service: cloudtrail}\n"


def rule(title: str, test: str = "eventName: StopLogging", condition: str = "a", head: str = HEAD, uid: str = "") -> str:
    return f"title: {title}\n{f'id: {uid}' if uid else ''}\n{head}detection:\n  a:\n    {test}\n  condition: {condition}\n"


UID = "11111111-2222-4333-8444-555555555555"
BOMB = "".join(f"{key}: &{key} [{', '.join([f'*{below}' if below else 'x'] * 10)}]\n" for below, key in zip(["", *"abcdef"], "abcdefg", strict=True))
RULES = {
    "alias_bomb": (BOMB, "alias_bomb.yml:6: more than 200,000 values once aliases are expanded"),
    "condition_name": (rule("R", condition="a and b"), "rule 'R': condition: no detection is named 'b'"),
    "empty_detection": ("title: R\n" + HEAD, "rule 'R': no 'detection' section"),
    "field": (rule("R", "eventNam: x"), "rule 'R': field 'eventNam' does not exist in aws.cloudtrail; did you mean 'eventName'"),
    "level": ("level: huge\n" + rule("R"), "level.yml:1: rule 'R': level 'huge' is none of"),
    "look_around": (rule("R", "eventName|re: '(?=x)y'"), "look-around and back-references are not supported"),
    "modifier": (rule("R", "eventName|shouts: x"), "modifier.yml:6: rule 'R': eventName|shouts: unknown modifier 'shouts'"),
    "not_text": ("title: caf\udcff\n", "not_text.yml:1: not UTF-8"),
    "placeholder": (rule("R", "eventName|expand: '%names%'"), "placeholder %names% has no value"),
    "python_tag": (
        'title: !!python/object/apply:os.system ["true"]\n' + HEAD,
        "python_tag.yml:1: YAML tag 'tag:yaml.org,2002:python/object/apply:os.system'",
    ),
    "regex": (rule("R", "eventName|re: '('"), "regular expression '(' is not valid"),
    "same_id": (rule("R", "eventName: Other", uid=UID), f"id {UID} already belongs to the document at "),
    "yaml": ("title: R\ndetection: {a: [1\nfoo: }", "yaml.yml:3: not YAML"),
}


def test_a_wrong_rule_is_named_and_stops_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    for name, (text, _) in RULES.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8", errors="surrogateescape")
    (folder / "good.yml").write_text(rule("Good", uid=UID))
    (tmp_path / "a.json").write_bytes(delivered(event()))
    done = command("scan", tmp_path / "a.json", "--rules", folder, "--no-builtin", "--summary", tmp_path / "summary")
    report = json.loads((tmp_path / "summary").read_text())
    assert titles(done.stdout) == ["Good"]
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
    for name, (_, message) in RULES.items():
        matching = [line for line in report["failures"] if line.startswith(str(folder / f"{name}.yml"))]
        assert len(matching) == 1, name
        assert message in matching[0]
    assert len(report["failures"]) == len(RULES)
    outcomes = [status["outcome"] for status in report["rules"]]
    assert (outcomes.count("ran"), outcomes.count("failed"), len(outcomes)) == (1, len(RULES), len(RULES) + 1)
    assert f"1 ran, {len(RULES)} failed".encode() in done.stderr


WRONG = {
    "time": (["--from", "yesterday"], "not a time: 'yesterday'; write 2026-03-01"),
    "zone": (["--to", "2026-03-01T08:00:00"], "not a time"),
    "order": (["--from", "2026-03-02", "--to", "2026-03-01"], "is not before --to"),
    "source": (["--source", "aws.cloudtrial"], "`crosswind sources` lists them"),
    "level": (["--min-level", "loud"], "'--min-level': 'loud' is not one of"),
    "format": (["--format", "xml"], "'--format': 'xml' is not one of"),
    "jobs": (["--jobs", "0"], "--jobs"),
    "rules": (["--rules", "no/such/rules"], "no/such/rules: no such rule file or directory"),
    "output folder": (["-o", "no/such/folder/x"], "the folder no/such/folder does not exist; make it or choose another with -o"),
    "output is folder": (["-o", "."], "it is a directory"),
    "summary folder": (["--summary", "no/such/folder/x"], "choose another with --summary"),
    "option": (["--wat"], "No such option"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_usage_is_said_before_any_work(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    options, message = WRONG[kind]
    (tmp_path / "a.json").write_bytes(delivered(event()))
    monkeypatch.setattr("sys.argv", ["crosswind", "scan", str(tmp_path), *options])
    assert main() == 2
    out, errors = capsys.readouterr()
    assert out == ""
    assert message in errors
    assert "Traceback" not in errors


def test_contradictory_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="is not before"):
        Settings(now=NOW, start=NOW, end=NOW)


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--fail-on", "high"), 1), (("--fail-on", "critical"), 0)])
def test_fail_on_tells_what_was_found_apart_from_failure(
    options: tuple[str, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_bytes(delivered(event()))
    monkeypatch.setattr("sys.argv", ["crosswind", "scan", str(tmp_path), "--min-level", "critical", *options])
    assert main() == code
    assert ("found alerts at or above" in capsys.readouterr().err) == (code == 1)


def test_an_interrupt_before_the_run_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.pipeline.run.load_cached", interrupted)
    monkeypatch.setattr("sys.argv", ["crosswind", "scan", str(tmp_path)])
    assert main() == 3
    assert capsys.readouterr().err == "crosswind: interrupted before there was a result\n"
