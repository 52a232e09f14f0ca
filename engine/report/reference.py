"""`python -m engine.report.reference` prints docs/schema.md: every common column, from the code's own declarations."""

from __future__ import annotations

import sys

from engine.schema import AI_COLUMNS, CHANGE_COLUMNS, ENGINE_COLUMNS, EVENT_COLUMNS, Column

_HEAD = """# The common schema

One row is one event. Columns are flat and named by their OCSF 1.8.0 attribute path; `x.*` are crosswind's own. Rules with `product: ai` or
`product: cloud` read these columns; all other rules read the provider's own fields. This page is generated from `engine/schema.py`.

Types: `string`; `int`; `float`; `bool`; `time` (microseconds, UTC); `list` (of strings); `json` (compact JSON text).
"""


def schema_page() -> str:
    """The page as Markdown."""
    sections = (
        ("Every event", EVENT_COLUMNS),
        ("Inference events", AI_COLUMNS),
        ("Added by crosswind", ENGINE_COLUMNS),
        ("Changes of posture facts, for rules alone", CHANGE_COLUMNS),
    )
    return _HEAD + "".join(f"\n## {title} ({len(columns)})\n\n{_table(columns)}" for title, columns in sections)


def _table(columns: dict[str, Column]) -> str:
    rows = [f"| `{column.name}` | {column.kind} | {column.meaning.replace('|', '&#124;')} |" for column in columns.values()]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_page())
