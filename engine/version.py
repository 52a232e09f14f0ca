"""The version of this installation."""

from __future__ import annotations

VERSION = "0.1.0"
