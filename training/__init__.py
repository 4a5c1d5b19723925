"""A painting and footage in, a style out."""
