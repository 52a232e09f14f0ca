"""The pySigma backend as `sigma` finds and calls it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

from engine.pipeline.authoring.sigma_backend import CrosswindBackend
from tests.hunting import LOGGING_STOPPED, STOPPED, output_of

ROOT = Path(__file__).resolve().parents[2]
CORRELATION = """
title: Often
correlation: {type: event_count, rules: [5d1f6a3e-1111-4222-8333-444455556666], group-by: [a], timespan: 1h, condition: {gte: 3}}
"""


def given(tmp_path: Path, text: str) -> SigmaCollection:
    path = tmp_path / "rule.yml"
    path.write_text(text, encoding="utf-8")
    return SigmaCollection.load_ruleset([path])


def test_the_output_runs_as_given(tmp_path: Path) -> None:
    sql = CrosswindBackend().convert(given(tmp_path, LOGGING_STOPPED))
    assert output_of(sql) == [STOPPED]
    assert "-- Logging stopped (5d1f6a3e-1111-4222-8333-444455556666)" in sql
    assert "macro" not in CrosswindBackend().convert(given(tmp_path, LOGGING_STOPPED), "queries")
    assert "from lake.events where" in CrosswindBackend(table="lake.events").convert(given(tmp_path, LOGGING_STOPPED))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LOGGING_STOPPED + "---" + CORRELATION, "correlation 'Often'"),
        (LOGGING_STOPPED.replace("eventName: [StopLogging, DeleteTrail]", "eventNam: x"), "did you mean 'eventName'"),
        (LOGGING_STOPPED.replace("eventName: [StopLogging, DeleteTrail]", "eventName|re: '[s[t]]op'"), "DuckDB reads"),
    ],
)
def test_refusals_name_rule_and_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SigmaError, match=message):
        CrosswindBackend().convert(given(tmp_path, text))
    lenient = CrosswindBackend(collect_errors=True)
    lenient.convert(given(tmp_path, text))
    assert message in str(lenient.errors[0][1])


def test_rules_come_from_files_and_tables_have_names(tmp_path: Path) -> None:
    with pytest.raises(SigmaError, match="files"):
        CrosswindBackend().convert(SigmaCollection.from_yaml(LOGGING_STOPPED))
    with pytest.raises(SigmaError, match="not the name of a table"):
        CrosswindBackend(table="events; drop table events")


def test_pysigma_discovers_the_backend_where_the_wheel_puts_it(tmp_path: Path) -> None:
    included = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    target = tmp_path / included["engine/pipeline/authoring/sigma_plugin.py"]
    target.parent.mkdir(parents=True)
    shutil.copy(ROOT / "engine/pipeline/authoring/sigma_plugin.py", target)
    code = "from sigma.plugins import InstalledSigmaPlugins as P; print(sorted(P.autodiscover(True, False, False).backends))"
    found = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": f"{tmp_path}:{ROOT}"}, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "'crosswind'" in found.stdout
    assert "''" not in found.stdout
