"""What golden tests look at comes from every engine."""

from __future__ import annotations

import pytest

from engine.pipeline import ScanResult
from engine.runners.base import Runner
from tests.scans import Scans


@pytest.fixture(scope="session")
def sample_scan(anywhere: Runner, scans: Scans) -> ScanResult:
    """A scan of sample_logs with the built-in rules, every alert shown."""
    return scans.sample(anywhere)
