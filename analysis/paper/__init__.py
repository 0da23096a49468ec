"""Holds the paper's printed numbers, its tables and the flags of its released code."""
