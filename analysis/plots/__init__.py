"""Contains the figures, one file each, with their data, caption and chart."""
