"""Makes batches on the device from the images of a split."""
