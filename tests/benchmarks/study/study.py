"""S3: a digits search of 16 trials against the same trials as plain Ray Tune function trainables."""

import functools
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.measuring import Finding, Rounds, interleave, ratio, run_module

TARGET = 3
TRIALS = 16
EPOCHS = 15
ROUNDS = 1
MODULE = "tests.benchmarks.study.study"


def search_on_our_platform(folder: Path, sampler: str) -> None:
    """Runs the preset with fewer epochs and without its control; the time includes its durable files."""
    from rich.console import Console

    from study import api

    overrides = {
        "training.epochs": EPOCHS,
        "search.trials": TRIALS,
        "search.sampler.name": sampler,
        "controls": [],
    }
    _, ending = api.launch(
        "digits", folder, overrides=overrides, address="local", until="search", console=Console(quiet=True)
    )
    assert ending.complete == TRIALS, ending


def search_with_plain_ray_tune(folder: Path) -> None:
    """Runs a random search with a function trainable that trains and reports the same epochs; one process per trial."""
    import ray
    from ray import tune

    # The same options as the project's: a private Ray, quiet, without dashboard, with a short path for sockets.
    ray.init(
        address="local",
        num_cpus=len(os.sched_getaffinity(0)),
        include_dashboard=False,
        _temp_dir=str(folder),
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    tuner = tune.Tuner(
        tune.with_resources(train_digits, {"cpu": 1}),
        param_space={"temperature": tune.loguniform(0.5, 16), "lambda_cls": tune.loguniform(0.1, 8)},
        tune_config=tune.TuneConfig(num_samples=TRIALS, metric="validation/top1_error", mode="min"),
        run_config=tune.RunConfig(storage_path=str(folder / "results"), verbose=0),
    )
    results = tuner.fit()
    assert len(results) == TRIALS
    assert not results.errors, results.errors
    ray.shutdown()


def train_digits(point: dict[str, float]) -> None:
    """Trains a trial of the plain study with the project's trainer, so that only the platform differs."""
    import torch
    from ray import tune

    from study.definition import loading
    from trainables.config import TrainConfig
    from trainables.training.trainer import Trainer
    from trainables.training.training_data import open_training_data

    torch.set_num_threads(1)
    preset = loading.load("digits", {"training.epochs": EPOCHS})
    config = TrainConfig(
        dataset=preset.dataset, model=preset.model, method={"name": "cs_kd", **point}, training=preset.training
    )
    device = torch.device("cpu")
    data = open_training_data(config.dataset, "train", device)
    trainer = Trainer(config, data, device)
    for epoch in range(1, EPOCHS + 1):
        values = trainer.run_epoch()
        measured, _ = trainer.evaluate(data.validation, "validation", final=epoch == EPOCHS)
        tune.report(values | measured)


VARIANTS = {
    "ours": functools.partial(search_on_our_platform, sampler="random"),  # the same sampler as the plain study
    "ours_gp": functools.partial(search_on_our_platform, sampler="gp"),
    "plain": search_with_plain_ray_tune,
}


def main(variant: str) -> None:
    """Runs one search in this process and prints the seconds that Ray took to start."""
    import ray

    started: list[float] = []
    start_ray = ray.init

    @functools.wraps(start_ray)
    def timed(*args: Any, **options: Any) -> Any:
        start = time.perf_counter()
        context = start_ray(*args, **options)
        started.append(time.perf_counter() - start)
        return context

    ray.init = timed
    # Ray's socket paths are limited to 107 bytes, so the folder must have a short path.
    with tempfile.TemporaryDirectory(prefix="cskd-bench-", dir="/tmp") as folder:
        VARIANTS[variant](Path(folder))
    print(json.dumps({"ray_start_seconds": sum(started)}))


def measure() -> Finding:
    """Measures the wall time of both studies in turn, each in a separate process with its own Ray."""
    runs: dict[str, list[dict[str, float]]] = {"plain": [], "ours": [], "ours_gp": [], "plain again": []}

    def seconds_of(name: str) -> float:
        runs[name].append(run_module([MODULE, name.split(maxsplit=1)[0]]))
        return runs[name][-1]["wall_seconds"]

    costs = interleave(ROUNDS, {name: functools.partial(seconds_of, name) for name in runs})
    without_start: Rounds = {
        name: [run["wall_seconds"] - run["ray_start_seconds"] for run in found] for name, found in runs.items()
    }
    speedup = ratio(costs, "plain", "ours")
    figures = {f"{name}, trials a minute": 60 * TRIALS / median(values) for name, values in costs.items()}
    figures |= {
        "plain / ours": speedup,
        "plain / ours without Ray's start": ratio(without_start, "plain", "ours"),
        "plain / ours with the Gaussian process": ratio(costs, "plain", "ours_gp"),
        "plain / plain again": ratio(costs, "plain", "plain again"),
        "ours, seconds to start Ray": runs["ours"][-1]["ray_start_seconds"],
    }
    return Finding(f"plain / ours >= {TARGET}", speedup >= TARGET, figures)


if __name__ == "__main__":
    main(sys.argv[1])
