"""Measures time and memory of a run, and ends processes that hang or whose parent has ended."""
