"""The checks of ``cskd doctor``, one file for each subject."""
