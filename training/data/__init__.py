"""Training data: the painting, and footage as pairs of frames with motion."""
