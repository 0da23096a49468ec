"""Keeps the state of a study: directory, database of trials, driver's lock, test ledger, and provenance."""
