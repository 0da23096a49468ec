"""Suggests points, ranks trials, and stops trials early."""
