"""Crash-safe files, object stores and local copies of data sets."""
