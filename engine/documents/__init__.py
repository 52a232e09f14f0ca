"""Alerts as documents: our own NDJSON, ECS and OCSF, with redaction and escaping."""
