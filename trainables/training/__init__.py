"""Trains one run: run directory and outcome, epochs, network and training step."""
