"""Pure loss functions that methods share."""
