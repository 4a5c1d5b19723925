"""What a run shows: its page, pictures, TensorBoard."""
