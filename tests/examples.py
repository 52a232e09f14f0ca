"""How many examples a property test makes: a number for every run, forty times that with ``pytest --hypothesis-profile=long``."""

from __future__ import annotations

from hypothesis import settings

NORMAL, LONG = 100, 4_000
settings.register_profile("long", max_examples=LONG)


def examples(number: int) -> settings:
    """Settings of a test that makes ``number`` examples in a normal run."""
    return settings(max_examples=number * settings().max_examples // NORMAL, deadline=None)
