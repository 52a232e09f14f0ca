"""Where logs of AI were off: what no rule could see, for the account of a scan."""

from __future__ import annotations

import polars as pl

from engine import jsontext
from engine.posture.history import KNOWN, at
from engine.posture.kinds import KINDS, POSTURE

TOLD = 5
"""So many places are named."""
_LOGGING = ("ai.logging", "log.diagnostics", "log.data_access")
_OFF = 1.5


def gaps(facts: pl.DataFrame) -> list[str]:
    """A sentence for each place whose logs of AI are off at the end of ``facts``, the first `TOLD` by asset."""
    rows = at(facts.filter(pl.col("fact").is_in(_LOGGING))).filter(pl.col("state") == KNOWN)
    off = []
    for asset, fact, part, value, since in rows.select("asset", "fact", "part", "value", "since").iter_rows():
        effect = KINDS[fact].effect(jsontext.loads(value))
        if effect is not None and effect.about == POSTURE and effect.factor >= _OFF:
            named = f"{asset} ({part})" if part else asset
            off.append(f"{KINDS[fact].title} of {named} off since {since:%Y-%m-%d %H:%M:%S}Z: what happened there later is in no log")
    more = [f"{len(off) - TOLD:,} more places whose logs of AI are off; `crosswind posture --input` names them"] if len(off) > TOLD else []
    return off[:TOLD] + more
