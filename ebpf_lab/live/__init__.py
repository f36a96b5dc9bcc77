"""What a notebook shows of a trace while it runs: the live view and the map inspector."""
