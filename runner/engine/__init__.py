"""Runs the graph. It knows rows and stages, and no backend."""
