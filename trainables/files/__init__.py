"""Writes files that survive a kill, and objects that machines share."""
