"""Prepares data sets: published archives become one file that is mapped into memory."""
