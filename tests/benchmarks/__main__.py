"""Runs benchmarks: ``python -m tests.benchmarks [NAME]... [--gpu] [--list]``."""

import argparse
import os
from importlib import import_module

import torch

from tests.benchmarks.measuring import machine, record

BENCHMARKS = {
    "training": ("step", "accuracy", "durability"),
    "data": ("input_pipeline", "photographs"),
    "study": ("anatomy", "study", "start", "overhead", "scale", "nodes", "tracking", "refusals", "kills"),
    "search": ("samplers", "schedulers", "halving", "races", "curse"),
}
GPU_BENCHMARKS = ("step", "epoch", "waits", "packing")
FOLDERS = {name: folder for folder, names in BENCHMARKS.items() for name in names}
FOLDERS |= {f"gpu_{name}": "gpu" for name in GPU_BENCHMARKS}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description="Runs benchmarks and compares them with their targets."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(FOLDERS)}; default: all")
    parser.add_argument(
        "--gpu", action="store_true", help="only benchmarks that need a GPU, which need neither Ray nor MLflow"
    )
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    options = parser.parse_args()
    if unknown := set(options.names) - FOLDERS.keys():
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}; give one of {', '.join(FOLDERS)}")
    for name in options.names or [name for name, folder in FOLDERS.items() if folder == "gpu" or not options.gpu]:
        on_gpu = FOLDERS[name] == "gpu"
        benchmark = import_module(f"tests.benchmarks.{FOLDERS[name]}.{name.removeprefix('gpu_')}")
        print(f"{name:<10} {benchmark.__doc__.splitlines()[0]}", flush=True)
        if on_gpu and not (options.list or torch.cuda.is_available()):
            print("  skipped: torch finds no GPU on this machine")
        elif not options.list:
            load = os.getloadavg()[0]
            finding = benchmark.measure()
            print(finding, flush=True)
            record(name, finding, load)
    if not options.list:
        print(f"recorded for {machine()}")


if __name__ == "__main__":
    main()
