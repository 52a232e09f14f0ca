"""A run with late facts that is killed at any step and started again ends as one that never was."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.change_samples import STRONGER, WEAKER, logging
from tests.killing import child, ended
from tests.running import Place


class Story:
    """A place with one batch done, and a late fact that takes one alert away and brings others."""

    def __init__(self, root: Path) -> None:
        self.place = Place(root / "place")
        self.kept = root / "kept"
        self.place.rules(WEAKER, STRONGER)
        self.place.put("a.json", logging(1, 60, text=True), logging(3, 180, text=False), logging(4, 3000, text=True))
        assert ended(child(self.place.config)) == 0
        assert len(self.place.alerts()) == 2
        self.place.put("b.json", logging(2, 120, text=False))
        shutil.copytree(self.place.root, self.kept)
        assert ended(child(self.place.config)) == 0
        self.result = self.outcome()
        assert set(self.place.ended().values()) == {("retracted", "late data")} or len(self.place.ended()) == 1

    def again(self) -> None:
        """Everything as it was before the second run."""
        shutil.rmtree(self.place.root)
        shutil.copytree(self.kept, self.place.root)

    def outcome(self) -> dict[str, Any]:
        return {"hits": self.place.hits().to_dicts(), "alerts": self.place.alerts(), "ended": self.place.ended()}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("story"))


@pytest.mark.parametrize(
    ("step", "number", "when"),
    [*(("lake", number, when) for number in range(1, 6) for when in ("before", "after")), ("commit", 1, "before"), ("commit", 1, "after")],
)
def test_killed_at_a_step(story: Story, step: str, number: int, when: str) -> None:
    story.again()
    assert ended(child(story.place.config, step, number, when)) == -signal.SIGKILL
    assert ended(child(story.place.config)) == 0
    assert story.outcome() == story.result
