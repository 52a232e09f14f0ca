"""`crosswind demo`: the whole story on bundled logs."""

from __future__ import annotations

from datetime import UTC, datetime


def demo() -> int:
    """Watch crosswind find an attack across three clouds in bundled sample logs.

    Two days of a small company: CloudTrail, Bedrock, Azure, Entra ID, GCP, Vertex AI, a model gateway and OpenTelemetry spans, about fifteen
    thousand records, with a stolen key in them. Works offline and takes seconds.
    """
    from engine import bundled
    from engine.pipeline import Settings, scan
    from engine.report.progress import watch
    from engine.report.story import print_story
    from engine.report.summary import exit_code_of

    folder = bundled.sample_logs()
    with watch() as progress:
        result = scan([str(folder / "logs")], Settings(now=datetime.now(UTC)), progress=progress)
    print_story(result, folder)
    return exit_code_of(result.report)
