"""Turns the images of a split into batches on the device."""
