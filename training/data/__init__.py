"""A painting and footage as pairs of frames with motion."""
