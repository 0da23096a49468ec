"""Who decides what runs: study files, the search, the confirmation, the command line."""
