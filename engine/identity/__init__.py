"""Who stands behind sessions and keys: events → edges → principals."""
