"""Decides which runs a study still needs and when each phase ends."""
