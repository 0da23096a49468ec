"""Storage of runs: assignment, epochs, outcome, checkpoints and predictions, on disk or in an object store."""
