"""The real `sigma` command, and the older pySigma it wants: both live in an environment of their own, which `make test` sets up."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.hunting import LOGGING_STOPPED, STOPPED, output_of

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv-sigma/bin"
SUITES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("tests/conformance/*.py"), *ROOT.glob("tests/unit/test_sigma_*.py"), ROOT / "tests/contract/test_sigma_backend.py")
    if path.name != "test_hunt_semantics.py"
)
"""What rests on pySigma: how documents are read, and what rules then find. What DuckDB makes of a rule that was read does not."""


@pytest.fixture(autouse=True)
def _environment() -> None:
    if not (BIN / "sigma").exists():
        message = f"there is no {BIN / 'sigma'}; make test sets it up"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


def ran(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    alone = {**os.environ, "CI": ""}  # what is installed there is for Sigma alone: no Spark
    return subprocess.run([BIN / arguments[0], *arguments[1:]], cwd=ROOT, env=alone, capture_output=True, text=True, check=False)


def test_crosswind_is_a_target() -> None:
    listed = ran("sigma", "list", "targets")
    assert listed.returncode == 0, listed.stderr
    assert "crosswind" in [word for line in listed.stdout.splitlines() for word in line.replace("|", " ").split()[:1]]
    formats = ran("sigma", "list", "formats", "crosswind")
    assert "queries" in formats.stdout


def test_a_rule_is_converted_to_sql_that_runs(tmp_path: Path) -> None:
    rule = tmp_path / "rule.yml"
    rule.write_text(LOGGING_STOPPED, encoding="utf-8")
    converted = ran("sigma", "convert", "-t", "crosswind", rule)
    assert converted.returncode == 0, converted.stderr
    assert output_of(converted.stdout) == [STOPPED]
    queries = ran("sigma", "convert", "-t", "crosswind", "-f", "queries", "-O", "table=lake.events", rule)
    assert queries.stdout.startswith("-- Logging stopped (5d1f6a3e-1111-4222-8333-444455556666)")
    assert "from lake.events where" in queries.stdout


def test_a_refusal_names_the_reason(tmp_path: Path) -> None:
    rule = tmp_path / "rule.yml"
    rule.write_text(LOGGING_STOPPED.replace("eventName", "eventNam"), encoding="utf-8")
    refused = ran("sigma", "convert", "-t", "crosswind", rule)
    assert refused.returncode != 0
    assert "did you mean 'eventName'" in " ".join((refused.stdout + refused.stderr).split())


def test_rules_mean_the_same_to_the_older_pysigma() -> None:
    version = ran("python", "-c", "from importlib.metadata import version; print(version('pysigma'))").stdout
    assert version.startswith("1.5.")
    tested = ran("python", "-m", "pytest", "-p", "no:cacheprovider", *SUITES)
    assert tested.returncode == 0, tested.stdout[-10_000:] + tested.stderr
    assert " passed" in tested.stdout
