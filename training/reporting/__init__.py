"""Reports of a training run: page, images, TensorBoard."""
