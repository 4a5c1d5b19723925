"""Networks, styles, frames, colour, clips and images. Imports no other folder of Brushreel."""
