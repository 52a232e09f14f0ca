"""Incidents into files: one a line, or a packet each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from engine.documents.destination import open_output
from engine.documents.escaping import safe_json
from engine.documents.incident import incident_document
from engine.documents.incident_ocsf import incident_to_ocsf
from engine.documents.incident_packet import packet_document, packet_markdown
from engine.documents.output import json_line
from engine.errors import SinkError
from engine.model import Alert, Incident


def write_incidents(incidents: Sequence[Incident], alerts: Sequence[Alert], path: Path, *, ocsf: bool = False, show_content: bool = False) -> None:
    """Write ``incidents`` one a line to ``path``, as crosswind's own documents or as OCSF. Raises SinkError where that fails."""
    by_uid = {alert.uid: alert for alert in alerts}
    with open_output(path) as stream:
        for incident in incidents:
            document = (
                incident_to_ocsf(incident, by_uid, show_content=show_content) if ocsf else incident_document(incident, show_content=show_content)
            )
            stream.write(json_line(document) + "\n")


def write_packets(incidents: Sequence[Incident], alerts: Sequence[Alert], folder: Path, *, show_content: bool = False) -> None:
    """Write ``<uid>.md`` and ``<uid>.json`` of each incident into ``folder``, made where it is missing, readable by their owner alone.

    Raises SinkError where that fails.
    """
    by_uid = {alert.uid: alert for alert in alerts}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"cannot write packets to {folder}: {error.strerror or error}; name another folder with --packets") from error
    for incident in incidents:
        with open_output(folder / f"{incident.uid}.md", private=True) as stream:
            stream.write(packet_markdown(incident, by_uid, show_content=show_content))
        with open_output(folder / f"{incident.uid}.json", private=True) as stream:
            document = packet_document(incident, by_uid, show_content=show_content)
            stream.write(safe_json(json.dumps(document, ensure_ascii=False, allow_nan=False)) + "\n")
