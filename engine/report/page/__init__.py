"""The report a responder hands on: one HTML file with the ranked incidents and everything that proves them, and no need of a network."""
