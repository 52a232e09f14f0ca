"""Processes killed at any moment: what was committed is whole, what was not is not there, and starting again goes on from there."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import polars as pl

from engine.store.lake import Lake
from engine.store.lake_care import compact, vacuum, verify
from tests.unit.test_lake import parquet_files

ROOT = Path(__file__).resolve().parents[2]
BATCHES = 40

WRITER = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.unit.test_lake import events, put
from engine.store.lake import Lake
from engine.store.lake_care import compact
lake = Lake.open(Path({lake!r}), create=True)
print("ready", flush=True)
for batch in range(max(lake.batch_of("events")[0], 1), {batches} + 1):
    put(lake, batch, events(50, start=batch * 50), events(20, day=1, start=batch * 20), digest=f"plan {{batch}}")
    if batch % 7 == 0:
        compact(lake)
"""


def start(lake: Path) -> subprocess.Popen[str]:
    code = WRITER.format(root=str(ROOT), lake=str(lake), batches=BATCHES)
    made = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert made.stdout is not None
    assert made.stdout.readline() == "ready\n"
    return made


def test_a_writer_killed_again_and_again_writes_every_batch_once(tmp_path: Path) -> None:
    chance = random.Random(11)
    path = tmp_path / "lake"
    for _ in range(6):
        process = start(path)
        time.sleep(chance.uniform(0, 0.4))
        process.kill()
        process.communicate()
        lake = Lake.open(path, create=False)
        last = lake.batch_of("events")[0]
        rows = lake.scan("events").group_by("x.batch").len().collect()
        assert dict(rows.iter_rows()) == dict.fromkeys(range(1, last + 1), 70)
        assert verify(lake) == []
    process = start(path)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert lake.batch_of("events") == (BATCHES, f"plan {BATCHES}")
    assert lake.scan("events").select(pl.len(), pl.struct("x.uid", "x.day").n_unique().alias("distinct")).collect().row(0) == (70 * BATCHES,) * 2
    compact(lake)
    vacuum(lake, grace=timedelta(0))
    assert parquet_files(lake) == set(lake.files("events"))
    assert lake.extent("events").rows == 70 * BATCHES
