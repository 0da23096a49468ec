"""Loss functions without state, one file each."""
