"""Manages resources of this machine: folders, free space, cores, secrets, signals, and local servers."""
