"""Reports of a batch: terminal, NDJSON, log and report file."""
