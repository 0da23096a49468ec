"""Tracks a study's runs in MLflow."""
