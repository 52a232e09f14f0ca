"""Where events, hits and alerts are kept: in memory for one scan."""
