"""Hits to alerts: which hits belong together, and what the alert over them says."""
