"""Writes and verifies a study's results, registers its winner, and deletes its checkpoints."""
