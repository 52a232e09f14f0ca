"""Questions to the lake: SQL, Sigma and saved hunts, and the records behind an answer."""
