"""Figures of a study, one a file: ``collect`` gathers the numbers, ``caption`` says them, ``draw`` shows them."""
