"""Runs benchmarks: ``python -m tests.benchmarks [NAME]... [--gpu] [--list]``."""

import argparse
import os
from importlib import import_module

import torch

from tests.benchmarks.measuring import machine, record

BENCHMARKS = (
    "step",
    "accuracy",
    "anatomy",
    "input",
    "photographs",
    "study",
    "start",
    "overhead",
    "scale",
    "nodes",
    "durability",
    "tracking",
    "refusals",
    "kills",
    "samplers",
    "schedulers",
    "halving",
    "races",
    "curse",
)
GPU_BENCHMARKS = ("gpu_step", "gpu_epoch", "gpu_waits", "gpu_packing")
ALL = (*BENCHMARKS, *GPU_BENCHMARKS)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measures against speed targets.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}; by default all that can run")
    parser.add_argument("--gpu", action="store_true", help="those that need a GPU, and neither Ray nor MLflow")
    parser.add_argument("--list", action="store_true", help="say what there is")
    words = parser.parse_args()
    if unknown := set(words.names) - set(ALL):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(ALL)}")
    for name in words.names or (GPU_BENCHMARKS if words.gpu else ALL):
        benchmark = import_module(f"tests.benchmarks.{name}")
        print(f"{name:<10} {benchmark.__doc__.splitlines()[0]}", flush=True)
        if name in GPU_BENCHMARKS and not (words.list or torch.cuda.is_available()):
            print("  left out: torch sees no GPU on this machine")
        elif not words.list:
            load = os.getloadavg()[0]
            finding = benchmark.measure()
            print(finding, flush=True)
            record(name, finding, load)
    if not words.list:
        print(f"recorded for {machine()}")


if __name__ == "__main__":
    main()
