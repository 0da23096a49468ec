"""Runs benchmarks: ``python -m tests.benchmarks [NAME]... [--list]``."""

import argparse
import os
from importlib import import_module

from tests.benchmarks.measuring import machine, record

BENCHMARKS = ("step", "input", "photographs", "study", "overhead", "durability", "tracking", "refusals")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measures against speed targets.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--list", action="store_true", help="say what there is")
    words = parser.parse_args()
    if unknown := set(words.names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    for name in words.names or BENCHMARKS:
        benchmark = import_module(f"tests.benchmarks.{name}")
        print(f"{name:<10} {benchmark.__doc__.splitlines()[0]}", flush=True)
        if not words.list:
            load = os.getloadavg()[0]
            finding = benchmark.measure()
            print(finding, flush=True)
            record(name, finding, load)
    if not words.list:
        print(f"recorded for {machine()}")


if __name__ == "__main__":
    main()
