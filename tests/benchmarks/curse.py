"""The winner's curse: repeated small studies of the digits, the winner's value in the search against fresh seeds."""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

from tests.benchmarks.measuring import Finding, run_module

STUDIES = 20
TRIALS = 16
EPOCHS = 10
SEEDS = (1, 2, 3)
MODULE = "tests.benchmarks.curse"


def study_of(number: int, folder: Path, *, studies: int = STUDIES) -> dict[str, float]:
    """Runs a study whose confirmation trains as its search does, so that only the choice makes a difference.

    Args:
        number: Of the study; decides the sampler's seed and the training seeds of all its runs.
        folder: Where it is made.
        studies: How many there are; no two share a confirmation seed.

    Returns:
        Errors in [0, 1] on the validation split: the best of all trials (``luckiest``), and of the winner what the
        search said (``search``) and the mean over fresh seeds (``fresh``).
    """
    from rich.console import Console

    from study import api

    study = api.Study.preset(
        "digits",
        {
            "name": f"curse-{number}",
            "training.epochs": EPOCHS,
            "search.trials": TRIALS,
            "search.sampler.seed": number,
            "controls": [],
            "confirm.finalists": 1,
            "confirm.seeds": [seed * studies + number for seed in SEEDS],
            "confirm.train_on": "train",
            "tracking.enabled": False,
        },
    )
    study.launch(folder, address="local", console=Console(quiet=True))
    results = study.results()
    winner = results.study["arms"][results.study["finalists"][0]]
    return {
        "luckiest": float(results.trials["validation/top1_error"].min()),
        "search": winner["search_value"],
        "fresh": float(results.confirmations["validation/top1_error"].mean()),
    }


def measure(studies: int = STUDIES) -> Finding:
    """What the search says of its winner, what fresh seeds say, and the difference over the studies."""
    found = [run_module([MODULE, str(number)]) for number in range(studies)]
    errors = {name: np.array([each[name] for each in found]) for name in ("luckiest", "search", "fresh")}
    optimism = errors["fresh"] - errors["search"]
    low, high = stats.t.interval(0.95, studies - 1, optimism.mean(), stats.sem(optimism))
    figures = {
        "best value of a search, mean": float(errors["luckiest"].mean()),
        "the winner's value in its search, mean": float(errors["search"].mean()),
        "the winner with fresh seeds, mean": float(errors["fresh"].mean()),
        "optimism of a study without confirmation": float((errors["fresh"] - errors["luckiest"]).mean()),
        "optimism of the search value": float(optimism.mean()),
        "optimism, lower end of 95 %": float(low),
        "optimism, upper end of 95 %": float(high),
        "share of studies whose search value was too good": float((optimism > 0).mean()),
    }
    return Finding("report; positive means that a search promises too much", True, figures)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cskd-bench-", dir="/tmp") as temporary:
        print(json.dumps(study_of(int(sys.argv[1]), Path(temporary))))
