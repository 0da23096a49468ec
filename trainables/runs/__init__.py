"""Stores a run: assignment, epochs, outcome, checkpoints and predictions, here or in an object store."""
