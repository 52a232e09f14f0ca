"""What several tests share: one scan of the sample logs, and the command line run in this process."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.cli.app import run
from engine.pipeline import ScanResult
from tests import examples as examples  # registers the profile "long" before it is asked for
from tests.elasticsearch_node import elasticsearch_node as elasticsearch_node
from tests.groups import pytest_collection_modifyitems as pytest_collection_modifyitems
from tests.scans import SAMPLE as SAMPLE
from tests.scans import Scans
from tests.scans import scans as scans
from tests.sparks import anywhere as anywhere
from tests.sparks import apart as apart
from tests.sparks import divided as divided
from tests.sparks import spark as spark

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def _rule_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Loaded rules are kept in a folder of the test run, not of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROSSWIND_CACHE", str(tmp_path_factory.mktemp("rules")))
        yield


@pytest.fixture(scope="session")
def sample_scan(scans: Scans) -> ScanResult:
    """A scan of sample_logs with the built-in rules, every alert shown."""
    return scans.sample()


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs ``crosswind`` with these arguments, standard input given as bytes."""

    def call(*arguments: str | Path, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "argv", ["crosswind", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = run()
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call
