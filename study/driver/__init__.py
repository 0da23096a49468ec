"""Runs a study on Ray Tune: hands out runs, settles them, retries them. `single_run` works without Ray."""
