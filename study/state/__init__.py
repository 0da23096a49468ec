"""Keeps a study's state on disk: directory, trials, lease, ledger, provenance."""
