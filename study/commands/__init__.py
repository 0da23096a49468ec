"""The commands of ``cskd``, one file for each group in its help; heavy libraries are loaded by what is called."""
