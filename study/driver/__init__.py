"""Runs a study on Ray Tune: starts runs, records their results and retries them. `single_run` works without Ray."""
