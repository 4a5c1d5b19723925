"""Work on many machines: jobs of render farms."""
