"""Benign life that looks like an attack: one file each. The truth marks it as no attack."""

from __future__ import annotations

from importlib import import_module

from engine.simulate.act import Campaign

DECOYS: tuple[str, ...] = (
    "backup_copy",
    "evaluation_harness",
    "guardrail_release",
    "key_rotation",
    "long_migration",
    "new_model_rollout",
    "night_incident",
    "red_team_day",
    "restore_test",
    "vpn_switch",
)


def decoy(name: str) -> Campaign:
    """The decoy of that name."""
    found: Campaign = import_module(f"engine.simulate.decoys.{name}").CAMPAIGN
    return found
