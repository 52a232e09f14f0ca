"""What can be known of the container without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compose_pydantic import ComposeSpecification

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "docker/Dockerfile"


def test_the_image_copies_only_what_exists() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    sources = [part for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M) for part in line.split()[:-1]]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_image_holds_the_package_data_the_build_asks_for() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    for folder in ("engine", "connectors", "detections", "sample_logs"):
        assert re.search(rf"^COPY {folder} ", text, re.M)


def test_the_image_runs_as_nobody_special() -> None:
    users = re.findall(r"^USER (.+)$", DOCKERFILE.read_text(encoding="utf-8"), re.M)
    assert users
    assert users[-1].split(":")[0] not in ("root", "0")


def test_the_linter_is_content() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    if not linter.exists():
        if os.environ.get("CI"):
            pytest.fail("hadolint is not installed")
        pytest.skip("hadolint has no build for this platform")
    result = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)
    assert result.stdout == ""
    assert result.returncode == 0


def test_the_compose_file_meets_the_specification() -> None:
    document = yaml.safe_load((ROOT / "docker/compose.yml").read_text(encoding="utf-8"))
    services = ComposeSpecification(**document).services
    assert services is not None
    assert set(services) == {"crosswind", "elasticsearch", "kibana"}


def test_published_ports_are_on_loopback() -> None:
    document = yaml.safe_load((ROOT / "docker/compose.yml").read_text(encoding="utf-8"))
    ports = [port for service in document["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
