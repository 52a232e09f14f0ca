"""Which tests run in one process when several share the work: those that need the same large part, so that it is started once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PARTS = {
    "spark": frozenset({"spark", "apart", "on_a_cluster_too", "running_cluster"}),
    "elasticsearch": frozenset({"elasticsearch_node"}),
    "postgresql": frozenset[str](),
}
"""Group: the fixtures that start its part. A parameter of the group's name, alone or before ``node``, asks for it too; other tests have a mark."""

FILES = frozenset(
    {
        *("tests/contract/test_hunt.py", "tests/contract/test_simulate_command.py"),
        *("tests/faults/test_bad_input.py", "tests/faults/test_run_killed.py", "tests/faults/test_schedule_processes.py"),
        *("tests/unit/test_incident_world.py", "tests/unit/test_simulate.py", "tests/unit/test_simulate_sample.py"),
    }
)
"""Files whose tests share what takes seconds to make: each is a group of its own."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        group = next((name for name, fixtures in PARTS.items() if _asked(item, name, fixtures)), None)
        if group is None and (file := item.nodeid.partition("::")[0]) in FILES:
            group = Path(file).stem
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))
        mark = item.get_closest_marker("xdist_group")
        own: Any = item
        if mark is not None and config.getoption("loadgroup", False) and hasattr(own, "_id"):
            # pytest-xdist 3.8 writes the group into an attribute that pytest 9.2 does not read any more: without this, groups mean nothing there.
            own._id = type(own._id).parse(f"{item.nodeid}@{mark.args[0]}")


def _asked(item: pytest.Item, group: str, fixtures: frozenset[str]) -> bool:
    if not fixtures.isdisjoint(getattr(item, "fixturenames", ())):
        return True
    given = getattr(getattr(item, "callspec", None), "params", {}).values()
    return any(isinstance(value, str) and value in (group, f"{group} node") for value in given)


@contextmanager
def only_here(group: str, factory: pytest.TempPathFactory) -> Iterator[None]:
    """While the block runs, no other process of this test run may be in one of the same ``group``: it would start the same part."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    with (factory.getbasetemp().parent / f"{group}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.fail(f"two processes of this run start {group}: its tests are not in one group, see tests/groups.py")
        yield
