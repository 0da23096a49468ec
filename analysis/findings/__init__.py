"""Derives what a study found: arms, comparisons, notes, exports."""
