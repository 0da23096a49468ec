"""Uses this machine: folders, free space, cores, secrets, signals, and servers that run here."""
