"""The studio: a page in the browser that shows styles on clips, plays them live, and renders."""
