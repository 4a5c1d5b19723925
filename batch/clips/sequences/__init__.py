"""Image sequences as outputs."""
