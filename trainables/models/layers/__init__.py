"""Network blocks that models share."""
