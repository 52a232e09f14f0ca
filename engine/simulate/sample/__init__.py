"""A seeded generator of multi-cloud life with attacks in it, in the layouts in which the providers deliver their logs, with ground truth.

Everything comes from the seed: the same arguments give the same bytes. It reads no clock and uses no network.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from engine.errors import UsageError
from engine.simulate.native import ids, writer
from engine.simulate.sample import attack, benign_ai, benign_aws, benign_cloud, truth, world
from engine.simulate.sample.feeds import Feeds, Stage
from engine.simulate.sample.story import Step, Storyteller, Truth

__all__ = ["Step", "Truth", "simulate"]


def simulate(out: Path, *, seed: int, start: datetime, days: int, scale: float = 1.0, story: str = "llmjacking") -> Truth:
    """Write ``days`` days of logs from ``start`` below ``out/logs`` and what is true about them to ``out/expected.json``.

    ``scale`` multiplies the benign events, never the attack. ``story`` is a name of `attack.STORIES`; ``quiet`` has no attack. ``start`` without
    a zone counts as UTC; days run from it, so office hours are office hours when it is a midnight. Files that are there already are overwritten,
    others are left alone. Raises `UsageError` for arguments that make no sense.
    """
    if story not in attack.STORIES:
        raise UsageError(f"there is no story {story!r}: choose one of {', '.join(sorted(attack.STORIES))}")
    play, least = attack.STORIES[story]
    if days < least:
        raise UsageError(f"story {story!r} takes at least {least} day(s), not {days}")
    if not 0 < scale <= 1000:
        raise UsageError(f"scale must be above 0 and at most 1000, not {scale}")
    begin = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
    place = world.build(ids.generator(seed, "world"))
    stage = Stage(seed, begin, days, scale, place, Feeds.build(seed, place))
    sessions = benign_ai.Sessions(stage, ids.generator(seed, "sessions"))
    benign_aws.live(stage, ids.generator(seed, "life in aws"))
    benign_cloud.live(stage, ids.generator(seed, "life in azure and gcp"))
    benign_ai.live(stage, ids.generator(seed, "life with models"), sessions)
    teller = Storyteller()
    play(stage, ids.generator(seed, f"story {story}"), sessions, teller)
    files = dict(stage.feeds.files())
    told = Truth(story, seed, begin, days, scale, stage.feeds.counts(), teller.steps())
    writer.save(Path(out) / "logs", files)
    truth.save(told, Path(out) / truth.NAME)
    return told
