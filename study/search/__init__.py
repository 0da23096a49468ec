"""Suggests the next point, compares points, and stops trials early."""
