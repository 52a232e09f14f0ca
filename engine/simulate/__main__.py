"""``python -m engine.simulate OUT --seed N``: write simulated logs and their ground truth."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from engine.errors import UsageError
from engine.simulate.sample import simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the generator; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engine.simulate", description="Write simulated multi-cloud logs and their ground truth.")
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--seed", type=int, default=7, help="equal seeds give equal bytes (default 7)")
    parser.add_argument("--start", type=datetime.fromisoformat, default="2026-03-02T00:00:00+00:00", help="first moment, RFC 3339")
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="how much benign life there is")
    parser.add_argument("--story", default="llmjacking", help="llmjacking, or quiet for no attack")
    given = parser.parse_args(arguments)
    try:
        truth = simulate(given.out, seed=given.seed, start=given.start, days=given.days, scale=given.scale, story=given.story)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for source, count in truth.records.items():
        sys.stdout.write(f"{source:24}{count:8}\n")
    sys.stdout.write(f"{len(truth.steps)} steps of the story {truth.story!r} are in {given.out / 'expected.json'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
