"""Picture files, read and written to the bit."""
