"""docs/configuration.md and the template say what the code does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config import load_config
from engine.config.keys import JOB, SECTIONS, SINKS, SOURCE, Key, named_keys
from engine.config.template import TEMPLATE

REFERENCE = Path(__file__).resolve().parents[2] / "docs/configuration.md"


def tables() -> Iterator[tuple[str, list[list[str]]]]:
    """Heading and rows of every table of keys."""
    for part in re.split(r"^##+ ", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        if "| key | kind |" in body:
            yield heading, [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in body.splitlines() if line.startswith("| `")]


def expected() -> dict[str, tuple[Key, ...]]:
    sections = {f"[{name}]": keys for name, keys in SECTIONS.items()}
    sinks = {f'type = "{name}"': keys for name, keys in SINKS.items()}
    return {**sections, "[source.NAME]": SOURCE, "[sink.NAME]": named_keys("sink", None), **sinks, "[job.NAME]": JOB}


def test_the_reference_has_every_key_and_no_other() -> None:
    assert {heading: [row[0].strip("`") for row in rows] for heading, rows in tables()} == {
        heading: [key.name for key in keys] for heading, keys in expected().items()
    }


def shown(default: object) -> str:
    words = {True: "true", False: "false"}
    return words.get(default, "") if isinstance(default, bool) else f'"{default}"' if isinstance(default, str) else str(default)


@pytest.mark.parametrize("heading", list(expected()))
def test_the_reference_has_the_kinds_and_defaults(heading: str) -> None:
    rows = {row[0].strip("`"): row for row in dict(tables())[heading]}
    for key in expected()[heading]:
        _, kind, default, *_ = rows[key.name]
        assert kind == key.kind.word, key.name
        if key.default is not None:
            assert default == f"`{shown(key.default)}`", key.name
        elif key.required:
            assert default == "needed", key.name
        else:
            assert not default.startswith('`"'), key.name


def test_the_template_loads_as_it_is_and_with_everything_switched_on(tmp_path: Path) -> None:
    path = tmp_path / "crosswind.toml"
    path.write_text(TEMPLATE)
    assert [source.name for source in load_config(path, {}).sources] == ["cloudtrail"]
    everything = re.sub(r"^# (?=\[|[a-z_]+ = )", "", TEMPLATE, flags=re.MULTILINE)
    path.write_text(everything)
    config = load_config(path, {"ES_API_KEY": "x", "CHAT_WEBHOOK": "https://hooks.slack.com/x"})
    assert [sink.type for sink in config.sinks] == ["elasticsearch", "file", "webhook"]
    assert [job.command for job in config.jobs] == [("run",), ("check",), ("lake", "compact")]
    assert set(tomllib.loads(everything)) == {*SECTIONS, "source", "sink", "job"}
