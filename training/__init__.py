"""Training: from a painting and footage to a style."""
