"""Derives the findings of a study: arms, comparisons, table notes and exports."""
