"""The bundled sample logs are what the generator makes, are small, and hold the story they promise."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl
import pytest

from connectors.normalize import Want, understand
from connectors.sources import load_mappings
from engine.simulate import Truth, simulate, truth

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample_logs"
SEED = 7
START = datetime(2026, 3, 2, tzinfo=UTC)
LIMIT = 3_000_000


def content(root: Path) -> dict[str, bytes]:
    """Relative path → bytes, unpacked: compressed bytes may differ between versions of zlib."""
    return {
        path.relative_to(root).as_posix(): gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in sorted((root / "logs").rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def expected() -> Truth:
    return truth.load(SAMPLE / truth.NAME)


def test_sample_logs_are_what_the_generator_makes(expected: Truth, tmp_path: Path) -> None:
    made = simulate(tmp_path, seed=SEED, start=START, days=2)
    mine, theirs = content(tmp_path), content(SAMPLE)
    assert sorted(mine) == sorted(theirs)
    assert [name for name in mine if mine[name] != theirs[name]] == []
    assert made.events == expected.events
    assert [(s.title, s.why, s.tags) for s in made.steps] == [(s.title, s.why, s.tags) for s in expected.steps]


def test_sample_logs_stay_small(expected: Truth) -> None:
    sizes = {path: path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()}
    assert sum(sizes.values()) <= LIMIT
    assert 15_000 <= sum(expected.records.values()) <= 25_000


def test_normalised_sample_holds_every_event_of_the_story(expected: Truth) -> None:
    """Every uid of the truth is the x.uid of one event of the promised source, no record is unknown and none is rejected."""
    rows: list[tuple[str, str, int, bool]] = []
    for name, data in content(SAMPLE).items():
        if "/data/" in name or "CloudTrail-Digest" in name:
            continue
        for line in data.splitlines():
            document = orjson.loads(line)
            found = document.get("Records", [document])
            if "resourceSpans" in document:
                group = document["resourceSpans"][0]
                scope = group["scopeSpans"][0]
                found = [{"resource": group["resource"], "scope": scope["scope"], "span": span} for span in scope["spans"]]
            rows += [(orjson.dumps(record).decode(), name, position, False) for position, record in enumerate(found)]
    frame = pl.DataFrame(rows, schema=["raw_data", "object", "position", "repaired"], orient="row")
    mappings = load_mappings()
    understood = understand(frame, mappings, dict.fromkeys(mappings, Want(columns=())), now=datetime(2026, 3, 4, tzinfo=UTC))
    assert understood.unknown == []
    assert [reject for _, part in understood.parts for reject in part.rejects] == []
    assert Counter({mapping.source: part.events.height for mapping, part in understood.parts}) == Counter(expected.records)
    source_of = {uid: mapping.source for mapping, part in understood.parts for uid in part.events["x.uid"]}
    for uid, step in expected.events.items():
        assert source_of.get(uid) == expected.steps[step - 1].source, uid
