"""What lasts from run to run: batches into lake and state, rules over stored events, revisions, incidents, delivery, repair."""
