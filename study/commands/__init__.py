"""The commands of ``cskd``, one file for each group of the help page."""
