"""The ground truth of a simulation as a file, and back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import orjson

from engine.simulate.sample.story import Step, Truth

NAME = "expected.json"


def save(truth: Truth, path: Path) -> None:
    """Write ``truth`` as indented JSON. A member ``rules`` that stands in the file already is kept: people fill it in."""
    rules = orjson.loads(path.read_bytes()).get("rules", {}) if path.exists() else {}
    document = {
        "scenario": truth.story,
        "seed": truth.seed,
        "start": f"{truth.start:%Y-%m-%dT%H:%M:%SZ}",
        "days": truth.days,
        "scale": truth.scale,
        "records": truth.records,
        "story": [
            {
                "step": step.step,
                "title": step.title,
                "time": f"{step.time:%Y-%m-%dT%H:%M:%SZ}",
                "cloud": step.cloud,
                "source": step.source,
                "tags": step.tags,
                "why": step.why,
                "event_uids": step.event_uids,
            }
            for step in truth.steps
        ],
        "rules": rules,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def load(path: Path) -> Truth:
    """The truth that `save` wrote."""
    document = orjson.loads(path.read_bytes())
    steps = tuple(
        Step(s["step"], s["title"], datetime.fromisoformat(s["time"]), s["cloud"], s["source"], tuple(s["event_uids"]), s["why"], tuple(s["tags"]))
        for s in document["story"]
    )
    start = datetime.fromisoformat(document["start"])
    return Truth(document["scenario"], document["seed"], start, document["days"], document["scale"], document["records"], steps)
