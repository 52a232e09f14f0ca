"""What golden tests look at comes from every engine."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.model import Level
from engine.pipeline import ScanResult, Settings, scan
from engine.runners.base import Runner
from tests.conftest import SAMPLE


@pytest.fixture(scope="session")
def sample_scan(anywhere: Runner) -> ScanResult:
    """A scan of sample_logs with the built-in rules, every alert shown."""
    return scan([str(SAMPLE / "logs")], Settings(now=datetime(2026, 3, 4, tzinfo=UTC)), min_level=Level.INFORMATIONAL, runner=anywhere)
