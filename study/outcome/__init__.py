"""Writes, verifies, registers and cleans up what a study leaves."""
