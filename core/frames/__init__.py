"""One decoded picture: planes, colour, fields, orientation, HDR."""
