"""Formats numbers, names and units as text."""
