"""Attack scenarios, one file each: ``d…`` by their ids in the catalogue of detections, ``r…`` after public reports on what attackers did."""

from __future__ import annotations

from importlib import import_module

from engine.simulate.act import Campaign

CAMPAIGNS = (
    *("d01", "d02", "d03", "d04", "d05", "d06", "d07", "d08", "d09", "d10", "d11", "d12", "d13", "d14", "d15", "d16", "d17", "d18", "d19"),
    *("d20", "d21", "d22", "d23", "d24", "d25", "d26", "d27", "d28", "d29", "d30", "d33"),
)
"""Not there: d31 needs findings of vendors, d32 is a sum over any events and no story of its own."""
REPORTS = ("r01", "r02", "r03", "r04", "r05", "r06", "r07", "r08", "r09", "r10", "r11", "r12", "r13")
"""Written without a look at rules; docs/evaluation.md names the reports. They are measured apart."""


def campaign(name: str) -> Campaign:
    """The scenario of that name."""
    found: Campaign = import_module(f"engine.simulate.campaigns.{name}").CAMPAIGN
    return found
