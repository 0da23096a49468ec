"""Search spaces: the default of each tunable method, and the spaces that study files define."""
