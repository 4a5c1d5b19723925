"""One clip or sequence: read, paint, write in segments, verify, rename."""
