"""How a trace shows itself in a cell: a live table with plots, and under it what is left without a kernel."""
