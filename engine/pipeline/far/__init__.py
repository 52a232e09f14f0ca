"""The same steps where another engine does the work: objects spread over tasks, results gathered, equal events found by a shuffle."""
