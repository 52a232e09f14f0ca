"""How right incidents are, measured where the truth is known.

    python benchmarks/incidents.py [--seeds 121-140] [--scale 0.5] [--rows catalogue,left-out,reports] [--jobs 2] [--format table|json]

For each seed a simulated company lives some days with campaigns and decoys in it, the built-in rules look at its logs once, and what they found is
compared with the truth, which no part of detection reads. Rows of the table:

- ``catalogue``: the campaigns of the catalogue, all logs there that the company has.
- ``left-out``: each of them scored while every campaign correlation that fires on it is switched off.
- ``reports``: the campaigns written from public reports, in a world of their own.
- ``missing``, when asked for: the catalogue again, one source after the other not collected.

What each figure means, and where it misleads, is in docs/evaluation.md. ``--format json`` keeps all of it, with the links that were asserted wrongly
or lost and with what was loud. Nothing here is a test: thresholds are compared by people. Progress goes to stderr, a process works on one seed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.incident_figures import Tally, Truth, measure, moment  # found from wherever this is run
from benchmarks.incident_world import Judged, World
from engine.model import Level
from engine.simulate.campaigns import CAMPAIGNS, REPORTS
from engine.simulate.generate import Plan, generate

ROWS = ("catalogue", "left-out", "reports", "missing")
WITHOUT = "without "
SOURCES = (
    *("ai.litellm", "ai.otel", "aws.bedrock_invocation", "aws.cloudtrail", "azure.activity", "azure.openai", "entra.audit", "entra.signin"),
    *("gcp.audit", "gcp.vertex_ai"),
)
WANTED = {
    "catalogue": {"f1": 0.9, "stage_recall": 0.9, "link_precision": 0.98, "link_recall": 0.85, "loud": 5},
    "left-out": {"f1": 0.75},
}
"""What the catalogue and the scenarios with their own correlations off should reach; ``loud`` is an upper bound."""
COLUMNS = {
    "precision": "prec",
    "recall": "recall",
    "f1": "F1",
    "at_10": "@10",
    "b_cubed": "B³",
    "stage_recall": "stages",
    "link_precision": "link prec",
    "link_recall": "link rec",
    "link_kept": "kept",
    "reduction": "alerts/inc",
    "loud": "loud/M",
    "hours": "hours",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is measured of every seed."""

    days: int
    scale: float
    level: Level
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """One seed: counts by row, and the CPU seconds it took."""

    seed: int
    tallies: dict[str, Tally]
    seconds: float


def one_seed(seed: int, asked: Asked) -> Measured:
    """Everything asked about one seed."""
    began = time.process_time()
    tallies: dict[str, Tally] = {}
    if {"catalogue", "left-out", "missing"} & set(asked.rows):
        world, document = _world(seed, asked, CAMPAIGNS)
        truth, base = Truth(document), world.judged()
        whole = measure(truth, base.alerts, base.incidents, asked.level, base.reached if "catalogue" in asked.rows else None)
        if "catalogue" in asked.rows:
            tallies["catalogue"] = whole
        if "left-out" in asked.rows:
            tallies["left-out"] = left_out(world, truth, base, whole, asked.level)
        for source in SOURCES if "missing" in asked.rows else ():
            found = world.judged(without={source}) if source in world.parts else base
            lacking = Truth(document, frozenset({source}))
            tallies[WITHOUT + source] = measure(lacking, found.alerts, found.incidents, asked.level, found.reached)
    if "reports" in asked.rows:
        world, document = _world(seed, asked, REPORTS)
        found = world.judged()
        tallies["reports"] = measure(Truth(document), found.alerts, found.incidents, asked.level, found.reached)
    return Measured(seed, tallies, time.process_time() - began)


def left_out(world: World, truth: Truth, base: Judged, whole: Tally, level: Level) -> Tally:
    """Each campaign scored where the campaign correlations that fire on it are off; what was loud in ``whole`` counts against precision once."""
    of_campaigns = world.campaigns()
    off: dict[frozenset[str], list[str]] = defaultdict(list)
    for name in sorted(truth.began):
        fired = {
            alert.rule.uid
            for alert in base.alerts
            if alert.rule.uid in of_campaigns and any(truth.events.get(uid, {}).get("campaign") == name for uid in alert.event_uids)
        }
        off[frozenset(fired)].append(name)
    found = Tally()
    for fired_on, names in off.items():
        judged = world.judged(off=fired_on) if fired_on else base
        for name in names:
            found.add(measure(truth, judged.alerts, judged.incidents, level, judged.reached, only=name))
    # These are no property of one campaign: they stand in the first row.
    return replace(found, shown=found.shown + whole.loud, ten=0, ten_right=0, incidents=0, ordinary=0)


def _world(seed: int, asked: Asked, campaigns: Sequence[str]) -> tuple[World, dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="crosswind-") as folder:
        out = Path(folder) / "world"
        generate(out, Plan(days=asked.days, seed=seed, scale=asked.scale, campaigns=tuple(campaigns)))
        document: dict[str, Any] = json.loads((out / "truth.json").read_text(encoding="utf-8"))
        now = moment(document["start"]) + timedelta(days=document["days"] + 30)
        return World.read(out / "logs", now), document


def run(seeds: Sequence[int], asked: Asked, jobs: int) -> Iterator[Measured]:
    """Every seed, as they are done, ``jobs`` at a time."""
    if jobs == 1 or len(seeds) == 1:
        yield from (one_seed(seed, asked) for seed in seeds)
        return
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # of the processes begun below: each has one core
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(one_seed, seed, asked) for seed in seeds]):
            yield done.result()


def table(totals: dict[str, Tally]) -> str:
    """The figures of every row, below each what it should reach where something is asked for."""
    width = max(len(name) for name in totals) + 2
    lines = ["".join((" " * width, *(f"{title:>{_wide(title)}}" for title in COLUMNS.values())))]
    for name, tally in totals.items():
        figures = tally.figures()
        lines.append(f"{name:<{width}}" + "".join(f"{_text(figures[key]):>{_wide(title)}}" for key, title in COLUMNS.items()))
        if wanted := WANTED.get(name):
            asked = (f"{'≤ ' if key == 'loud' else '≥ '}{wanted[key]}" if key in wanted else "" for key in COLUMNS)
            lines.append(" " * width + "".join(f"{text:>{_wide(title)}}" for text, title in zip(asked, COLUMNS.values(), strict=True)))
    for name in ("catalogue", "left-out", "reports"):
        if name in totals and totals[name].missed:
            lines.append(f"missed in {name}: " + ", ".join(f"{campaign} {times}" for campaign, times in totals[name].missed.most_common()))
    return "\n".join(lines)


def _wide(title: str) -> int:
    return max(len(title), 6) + 2


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value < 1.5 else f"{value:.1f}"


def document(measured: Sequence[Measured], totals: dict[str, Tally], asked: Asked) -> dict[str, Any]:
    """All figures: over the seeds by row, and of each seed."""
    rows = {
        name: {
            "figures": tally.figures(),
            "missed": dict(tally.missed.most_common()),
            "wrong_links": tally.wrong_links,
            "lost_links": tally.lost_links,
            "loud": tally.loud_ones,
        }
        for name, tally in totals.items()
    }
    seeds = [
        {"seed": each.seed, "cpu_seconds": round(each.seconds, 1)}
        | {name: tally.figures() | {"missed": sorted(tally.missed)} for name, tally in each.tallies.items()}
        for each in measured
    ]
    return {"days": asked.days, "scale": asked.scale, "level": asked.level.word, "seeds": len(seeds), "rows": rows, "by_seed": seeds}


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def _rows(text: str) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(text.split(",")))
    if not set(named) <= set(ROWS):
        raise argparse.ArgumentTypeError(f"rows are {', '.join(ROWS)}")
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=_seeds, default=_seeds("121-140"))
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--scale", type=float, default=0.5)
    parser.add_argument("--level", type=Level.of, default=Level.HIGH)
    parser.add_argument("--rows", type=_rows, default=ROWS[:3], help=f"some of {','.join(ROWS)}")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    parser.add_argument("--format", choices=("table", "json"), default="table")
    given = parser.parse_args()
    asked = Asked(given.days, given.scale, given.level, given.rows)
    measured: list[Measured] = []
    for each in run(given.seeds, asked, given.jobs):
        measured.append(each)
        sys.stderr.write(f"seed {each.seed}: {each.seconds:.0f} s of CPU, {len(measured)} of {len(given.seeds)} done\n")
    measured.sort(key=lambda each: each.seed)
    names = dict.fromkeys(name for each in measured for name in each.tallies)
    first = [name for name in ROWS if name in names]
    order = [*first, *sorted(name for name in names if name not in first)]
    totals = {name: Tally.of(each.tallies[name] for each in measured if name in each.tallies) for name in order}
    print(json.dumps(document(measured, totals, asked)) if given.format == "json" else table(totals))


if __name__ == "__main__":
    main()
