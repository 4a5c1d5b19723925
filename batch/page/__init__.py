"""Pages in the browser that are served to this machine: their guard, and parts that they share."""
