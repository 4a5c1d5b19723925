"""The ground floor: network, styles, frames, colour, media. Imports no other folder."""
