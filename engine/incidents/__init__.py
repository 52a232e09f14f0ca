"""Alerts → incidents: what belongs together, why, how bad it is, and what to do."""
