"""The figures, one file each: collect the data, write the caption, draw."""
