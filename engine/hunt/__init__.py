"""Looking back: rules as queries over events that are kept."""
