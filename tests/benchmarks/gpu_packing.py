"""S10: trials an hour with one, two and three processes on one GPU."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import torch

from tests.benchmarks.gpu_step import wait_for
from tests.benchmarks.material import CifarShaped
from tests.benchmarks.measuring import REPOSITORY, Finding
from trainables.config import TrainConfig
from trainables.trainer import Trainer
from trainables.training_data import open_training_data

PROCESSES = (1, 2, 3)
EPOCHS_OF_A_TRIAL = 200
SECONDS = 30.0


def epochs_a_second(options: dict[str, object], lasting: float) -> float:
    """Of one process, after its first epoch; runs in a process of its own beside others."""
    config = TrainConfig.model_validate(options)
    device = torch.device(config.training.device)
    trainer = Trainer(config, open_training_data(config.dataset, "train", device), device)
    trainer.run_epoch()
    wait_for(device)
    start, done = time.perf_counter(), 0
    while not done or time.perf_counter() - start < lasting:
        trainer.run_epoch()
        wait_for(device)
        done += 1
    return done / (time.perf_counter() - start)


def trials_an_hour(options: dict[str, object], processes: int, lasting: float = SECONDS) -> float:
    """Of so many processes at once."""
    words = [sys.executable, "-m", "tests.benchmarks.gpu_packing", json.dumps(options), str(lasting)]

    def one(_: int) -> float:
        done = subprocess.run(words, cwd=REPOSITORY, env=os.environ, stdout=subprocess.PIPE, text=True, check=True)
        return float(done.stdout.splitlines()[-1])

    with ThreadPoolExecutor(processes) as pool:
        return 3600 * sum(pool.map(one, range(processes))) / EPOCHS_OF_A_TRIAL


def options_of(model: str, device: str, **dataset: int) -> dict[str, object]:
    """A CS-KD run on images in CIFAR-100's shape."""
    name = f"{CifarShaped.__module__}:{CifarShaped.__name__}"
    return {
        "dataset": {"name": name, **dataset},
        "model": model,
        "method": "cs_kd",
        "training": {"device": device, "lr": 0.01},
    }


def measure() -> Finding:
    """A large and a small network; a report, from which a user picks ``gpus_per_trial``."""
    figures = {
        f"{model}, {count} at once, trials an hour": trials_an_hour(options_of(model, "cuda"), count)
        for model in ("preact_resnet18", "preact_resnet10")
        for count in PROCESSES
    }
    return Finding("none: a report", True, figures)


if __name__ == "__main__":
    print(epochs_a_second(json.loads(sys.argv[1]), float(sys.argv[2])))
