"""What inference logs say: the bodies of every model provider, streams, guardrail verdicts and OpenTelemetry attributes, read into one form."""
