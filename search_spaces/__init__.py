"""What may vary: the default search space of each tunable method, and the words of a study file's own spaces."""
