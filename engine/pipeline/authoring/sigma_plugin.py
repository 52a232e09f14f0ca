"""What pySigma finds of crosswind: the wheel carries this file a second time, where backends are looked for, as ``sigma/backends/crosswind``.

It holds a name and nothing else, so that the copy is never older than the code, not even where crosswind is installed editable.
"""

from __future__ import annotations

from engine.pipeline.authoring.sigma_backend import CrosswindBackend

__all__ = ["CrosswindBackend"]
