"""Image files, read and written bit-exact."""
