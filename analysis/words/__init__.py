"""Formats numbers, names and units for people."""
