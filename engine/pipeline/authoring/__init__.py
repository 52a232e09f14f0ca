"""For authors of rules: check, test, show, explain, coverage, templates, and the backend that pySigma finds."""
