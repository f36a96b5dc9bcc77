"""Plots of traces: what a frame suggests, readable without a parameter; matplotlib comes with the first."""
