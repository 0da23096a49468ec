"""Hyperparameter studies: study files, search, confirmation, results and the command line."""
