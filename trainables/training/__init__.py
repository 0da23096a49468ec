"""Trains one run: run, trainer, workbench, step, network."""
