"""What the tables say of the kernels in this process they say of those in the tasks of a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

import engine
from engine.model import Evaluation
from engine.pipeline import evaluate
from engine.runners.base import Stage
from tests.conformance_tables import Call, again
from tests.sparks import ShuffledSpark, missing


@pytest.fixture(scope="module")
def on_a_cluster_too(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every call of `engine.evaluate` is made again by a task when the module is through, and must have the same result.

    Without Spark the tables are looked at in this process alone, but not in CI.
    """
    if missing() is not None and os.environ.get("CI") != "true":
        yield
        return
    spark = request.getfixturevalue("spark")
    calls, results = list[Call](), list[Evaluation]()

    def recorded(*given: Any, **named: Any) -> Evaluation:
        results.append(evaluate(*given, **named))
        calls.append((len(calls), given, named))
        return results[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "evaluate", recorded, raising=False)
        yield
    groups = [calls[start::4] for start in range(4) if calls[start::4]]
    found = dict(pair for pairs in ShuffledSpark(spark).each(Stage("tables"), again, groups) for pair in pairs)
    assert calls
    assert [found[number] for number in range(len(calls))] == results
