"""S4 on a cluster: trials per hour on one and two nodes of one core, with and without reuse of workers."""

import json
import secrets
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measuring import Finding, run_module
from tests.kit.paths import PYTHON_PATH

MODULE = "tests.benchmarks.study.nodes"
EPOCH_SECONDS = 0.5
EPOCHS = 4
TRIALS = {True: 24, False: 6}  # fewer without reuse, because starting a worker takes seconds
TARGET_SECONDS = 0.5


def search(nodes: int, reuse: bool, folder: Path) -> dict[str, float]:
    """Runs a search on a cluster of ``nodes`` nodes and a head without CPUs; each trial waits for two seconds.

    Returns:
        Trials per hour from the end of the first to the end of the last, and seconds of overhead per trial and node.
    """
    from ray import tune
    from ray.cluster_utils import Cluster
    from rich.console import Console

    from study import api
    from study.state.directory import open_study
    from tests.kit.fakes import toy

    if not reuse:
        original = tune.TuneConfig
        tune.TuneConfig = lambda **options: original(**(options | {"reuse_actors": False}))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1, wait=False)
        cluster.wait_for_nodes()
        directory, ending = api.launch(
            toy.write_study(folder),
            folder,
            overrides={
                "search.space": {"temperature": {"low": 0.5, "high": 16, "log": True}},
                "search.trials": TRIALS[reuse] * nodes,
                "training.epochs": EPOCHS,
                "controls": [],
            },
            address=cluster.address,
            until="search",
            console=Console(quiet=True),
            trainable=toy.ToyTrainable,
        )
    finally:
        cluster.shutdown()
    assert ending.complete == TRIALS[reuse] * nodes, ending
    with open_study(directory) as study:
        ends = sorted(trial.datetime_complete for trial in study.store.trials("search"))
    lasted = (ends[-1] - ends[0]).total_seconds() / (len(ends) - 1)
    return {"trials an hour": 3600 / lasted, "seconds a trial beyond its own": lasted * nodes - EPOCHS * EPOCH_SECONDS}


def measure() -> Finding:
    """Measures each combination in a separate process."""
    figures: dict[str, float] = {}
    for reuse in (True, False):
        for nodes in (1, 2):
            arguments = [MODULE, str(nodes), "reuse" if reuse else "restart"]
            found = run_module(arguments, **_environment())
            name = f"{nodes} node{'s' * (nodes > 1)}, {'workers go on' if reuse else 'a worker a trial'}"
            figures |= {f"{name}: {key}": value for key, value in found.items() if key != "wall_seconds"}
    cost = max(value for key, value in figures.items() if "workers go on: seconds" in key)
    return Finding(f"<= {TARGET_SECONDS} s a trial where workers go on", cost <= TARGET_SECONDS, figures)


def _environment() -> dict[str, str]:
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {"PYTHONPATH": PYTHON_PATH, "TOY_SECONDS": str(EPOCH_SECONDS), **token}


if __name__ == "__main__":
    # Ray's socket paths are limited to 107 bytes, so the folder must have a short path.
    with tempfile.TemporaryDirectory(prefix="cskd-bench-", dir="/tmp") as temporary:
        print(json.dumps(search(int(sys.argv[1]), sys.argv[2] == "reuse", Path(temporary))))
