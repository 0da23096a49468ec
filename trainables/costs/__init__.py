"""Measures what a run costs, and ends runs that hang or lost their driver."""
