"""What commands open: the configured state, and the runner they were asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.documents.escaping import safe_text

if TYPE_CHECKING:
    from engine.runners.base import Runner
    from engine.store.state import State


def open_state(config: Path | None, place: str | None = None) -> State:
    """The state at ``place``, else the one that the configuration names. Raises ConfigError and StateError; never makes one."""
    from engine.config import load_config
    from engine.store.state import State

    return State.open(place or load_config(config, os.environ).state, create=False)


@contextmanager
def opened_runner(engine: str, jobs: int | None, master: str | None, conf: Sequence[str] | None, ship: bool) -> Iterator[Runner]:
    """The runner called ``engine``; a cluster's stages are shown while it works. ``ship``: its machines get crosswind sent."""
    from engine.report.progress import watch_stages
    from engine.runners.choice import LOCAL, chosen_runner

    if engine == LOCAL:
        _spare_pandas()
    with ExitStack() as stack:
        told = None if engine == LOCAL else stack.enter_context(watch_stages())
        yield stack.enter_context(chosen_runner(engine, jobs=jobs, master=master, conf=conf or (), ship=ship, progress=told, notes=_note))


def _note(text: str) -> None:
    sys.stderr.write(f"{safe_text(text)}\n")


class _NoPandas:
    """A finder of modules by which there is no pandas."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _spare_pandas() -> None:
    """Have pyarrow take it that there is no pandas. Where there is, the first number it converts has it imported, to see whether it is one of its
    series: half a second and 40 MB for nothing. pyarrow asks once and remembers; nobody else notices.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow

    refusing: Any = _NoPandas()
    sys.meta_path.insert(0, refusing)
    try:
        pyarrow.scalar(0)
    finally:
        sys.meta_path.remove(refusing)
