"""What was made, in words."""

from __future__ import annotations

from pathlib import Path

from engine.simulate import truth
from engine.simulate.delivery import DARK
from engine.simulate.generate import LOGS, Made


def account(made: Made, out: Path) -> str:
    """Events per source, campaigns, files and bytes, and where to look next."""
    lines = [f"{source:<24}{count:>12,}" for source, count in made.records.items()]
    total = sum(made.records.values())
    lines.append(f"{'all':<24}{total:>12,}   in {made.files:,} files, {made.bytes / 1e6:,.1f} MB")
    lines += [f"switched off in this company: {DARK[name]}" for name in made.dark]
    for told in (one for one in made.told if one.attack):
        about = ", ".join((told.pace, *told.variations))
        events = len({entry.uid for stage in told.stages for entry in stage.entries})
        lines.append(f"{told.uid}  {told.title}: {len(told.stages)} stages, {events:,} events ({about})")
    decoys = sum(not one.attack for one in made.told)
    lines.append(f"{decoys} decoys that only look like attacks")
    lines.append(f"The logs are in {out / LOGS}, the truth in {out / truth.NAME}. Next: crosswind scan {out / LOGS}")
    return "\n".join(lines) + "\n"
