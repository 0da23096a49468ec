"""Plans studies before they run, runs several in a row, and reproduces the paper's tables."""
