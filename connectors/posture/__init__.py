"""Value functions for the ``posture`` sections of mapping files: what a record tells about, and what it says of it.

Values are objects of few, short members. A value that the record does not hold is None, never a guess; an asset or part that is None says that the
record tells nothing of the fact at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.posture import aws, azure, gcp

FUNCTIONS: dict[str, Callable[..., Any]] = {**aws.FUNCTIONS, **azure.FUNCTIONS, **gcp.FUNCTIONS}
"""By their names in mapping files."""
