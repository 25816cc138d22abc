"""Holding, stepping and seeking; what was true at a place."""
