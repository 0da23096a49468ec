"""Winner's curse: value of the selected trial in the search against new seeds, in repeated small digits studies."""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tests.benchmarks.measuring import Finding, run_module

STUDIES = 20
TRIALS = 16
EPOCHS = 10
SEEDS = 2
MODULE = "tests.benchmarks.search.curse"


def study_of(number: int, folder: Path, trials: int = TRIALS) -> dict[str, float]:
    """Runs a study that confirms all of its trials on the training data of the search.

    Args:
        number: Number of the study; determines the sampler's seed and the training seeds.
        folder: Folder of the study.
        trials: Number of search trials.

    Returns:
        Errors in [0, 1] on the validation split. For the trial with the best value (``luckiest``) and the one that the
        study selects (``winner``): the value in the search (``... in the search``) and the mean over new seeds
        (``... with fresh seeds``). For the winner also its posterior mean (``believed``). For the trial that is best
        with new seeds: that mean (``best with fresh seeds``).
    """
    from rich.console import Console

    from study import api

    study = api.Study.preset(
        "digits",
        {
            "name": f"curse-{number}",
            "training.epochs": EPOCHS,
            "search.trials": trials,
            "search.sampler.seed": number,
            "controls": [],
            "confirm.finalists": trials,
            "confirm.seeds": [number * SEEDS + seed for seed in range(SEEDS)],
            "confirm.train_on": "train",
            "tracking.enabled": False,
        },
    )
    study.launch(folder, address="local", console=Console(quiet=True))
    results = study.results()
    arms = results.study["arms"]
    fresh = results.confirmations.groupby("arm")["validation/top1_error"].mean()
    winner = results.study["finalists"][0]
    luckiest = min(arms, key=lambda label: arms[label]["search_value"])
    return {
        "luckiest in the search": arms[luckiest]["search_value"],
        "luckiest with fresh seeds": float(fresh[luckiest]),
        "winner in the search": arms[winner]["search_value"],
        "winner believed": arms[winner]["posterior_mean"],  # there are enough trials for a posterior
        "winner with fresh seeds": float(fresh[winner]),
        "best with fresh seeds": float(fresh.min()),
    }


def measure(studies: int = STUDIES) -> Finding:
    """Measures the optimism of a search for each rule that selects its winner, over the studies."""
    found = []
    for number in range(studies):
        found.append(run_module([MODULE, str(number)]))
        print(f"  study {number}: {json.dumps(found[-1])}", flush=True)  # twenty studies take a quarter of an hour
    return summarize(found)


def summarize(found: list[dict[str, float]]) -> Finding:
    """Returns the means over studies of the values of ``study_of``, and the optimism with 95 % intervals."""
    errors = {name: np.array([each[name] for each in found]) for name in found[0] if name != "wall_seconds"}
    figures = {"studies": float(len(found))} | {f"{name}, mean error": float(x.mean()) for name, x in errors.items()}
    for name, promised, kept in (
        ("optimism of the best value", "luckiest in the search", "luckiest with fresh seeds"),
        ("optimism of the winner's value", "winner in the search", "winner with fresh seeds"),
        ("optimism of what is believed", "winner believed", "winner with fresh seeds"),
        ("winner worse than the luckiest", "luckiest with fresh seeds", "winner with fresh seeds"),
    ):
        figures |= _interval(name, errors[kept] - errors[promised])
    return Finding("report; positive optimism means that a search promises too much", True, figures)


def _interval(name: str, differences: NDArray[np.float64]) -> dict[str, float]:
    low, high = stats.t.interval(0.95, len(differences) - 1, differences.mean(), stats.sem(differences))
    return {name: float(differences.mean()), f"{name}, lower end": float(low), f"{name}, upper end": float(high)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cskd-bench-", dir="/tmp") as temporary:
        print(json.dumps(study_of(int(sys.argv[1]), Path(temporary))))
