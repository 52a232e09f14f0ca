"""A hunt with a Sigma document whose stored events are read by many hands: hits go to a lake that is there for this hunt alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from connectors.sources import load_mappings
from engine.correlate.alerts import Raised
from engine.detect.program import Program
from engine.pipeline.batch import Settings
from engine.pipeline.correlating import ReadAgain
from engine.pipeline.far.keeping import Keeper, writers_of
from engine.pipeline.far.scan import Passing, add_hits, passing_lake
from engine.pipeline.far.shared_folder import check_shared, one_of_each_folder
from engine.pipeline.far.spread import READING
from engine.pipeline.hunts.records import READ_COLUMNS, Objects, Seen, changed_in_lake, chunks, isolated_chunk, work_chunk
from engine.pipeline.lasting.origins import StoredOrigins
from engine.pipeline.lasting.plans import rules_digest
from engine.pipeline.lasting.stored_files import StoredFiles, file_groups
from engine.runners.base import Runner, Stage
from engine.runners.interrupts import heeded
from engine.store.lake import Lake
from engine.store.lake_files import Part

_BATCH = 1


@dataclass(frozen=True, slots=True)
class Hunting:
    """Runs rules over stored events, and writes the hits to the lake ``out``: work of a runner."""

    lake: Path
    out: Path
    program: Program
    settings: Settings

    def __call__(self, files: StoredFiles) -> tuple[Seen, list[Part]]:
        step = partial(work_chunk, program=self.program, mappings=load_mappings(), settings=self.settings)
        stored = Lake(self.lake).read_events(files.paths, files.source, self.settings.start, self.settings.end, READ_COLUMNS)
        seen = Seen()
        with writers_of(self.out, _BATCH) as writers:
            keeper = Keeper(writers, self.program, {}, whole=False)
            for chunk in chunks(stored, files.source, Objects()):
                found = isolated_chunk(chunk, step)
                seen.add(found)
                keeper.keep(found)
                keeper.spans = []
            return seen, writers.hits.hand_over()


def gather_far(
    lake: Lake, sources: Sequence[str], program: Program, settings: Settings, objects: Objects, again: ReadAgain, runner: Runner
) -> tuple[Raised, Seen]:
    """All alerts, by way of files. Ctrl-C ends the reading early with what was found so far; later it ends all, without a result."""
    stage, seen = Stage(READING, f"hunt, rules {rules_digest(program)[:12]}"), Seen()
    with passing_lake() as out, writers_of(out.path, _BATCH) as writers:
        hunting = Hunting(lake.path, out.path, program, settings)
        read = [source for source in sources if program.plans[source].rules]
        files, done = list(file_groups(lake, read, settings.start, settings.end, runner)), 0
        with heeded() as stopped:
            for told, parts in runner.each(stage, hunting, files, stopped):
                done += 1
                seen.merge(told)
                check_shared(out.path / "hits", one_of_each_folder(parts))
                writers.hits.adopt(parts)
        seen.interrupted = done < len(files)
        changed = list(changed_in_lake(lake, program, settings, objects, seen))
        add_hits(out, writers, program, [each.hits for each in changed])
        found = Passing(out, writers, objects.numbers, again, StoredOrigins(lake, load_mappings(), seen.edges))
        with heeded() as stopped:
            raised, _ = found.raised(program, load_mappings(), seen.latest, settings.now, runner, stage, stopped)
        return raised, seen
