"""Where bytes come from: one file per transport, listed here under its file's name."""

from __future__ import annotations

from connectors.transports.base import Transport
from connectors.transports.files import FilesTransport

TRANSPORTS: dict[str, type[Transport]] = {"files": FilesTransport}
