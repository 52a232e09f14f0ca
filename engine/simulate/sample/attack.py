"""The stories that can be played, and the order of their acts."""

from __future__ import annotations

import random
from collections.abc import Callable

from engine.simulate.sample import attack_agent, attack_aws, attack_azure, attack_gcp
from engine.simulate.sample.benign_ai import Sessions
from engine.simulate.sample.feeds import Stage
from engine.simulate.sample.story import Storyteller

Play = Callable[[Stage, random.Random, Sessions, Storyteller], None]


def quiet(stage: Stage, rng: random.Random, sessions: Sessions, teller: Storyteller) -> None:
    """Nothing happens."""


def llmjacking(stage: Stage, rng: random.Random, sessions: Sessions, teller: Storyteller) -> None:
    """A key leaks in a prompt on the first day. On the second it opens one cloud after the other, and their models run at the company's cost.

    Beside it, on the first day, a web page talks the support agent into running a command.
    """
    attack_aws.leak(stage, sessions, teller)
    attack_agent.injection(stage, rng, sessions, teller)
    attack_aws.takeover(stage, rng, teller)
    attack_azure.pivot(stage, rng, teller)
    attack_gcp.pivot(stage, rng, teller)


STORIES: dict[str, tuple[Play, int]] = {"llmjacking": (llmjacking, 2), "quiet": (quiet, 1)}
"""Story name → how to play it, and the days it takes."""
