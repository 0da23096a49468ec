"""Records a surface: ``python -m tests.benchmarks.surface_recording NAME``; resumable, takes hours on one core."""

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.surface import DESIGNS, DIVERGED, VALIDATION_IMAGES, Design, path_of
from trainables.config import TrainConfig
from trainables.runs.run_directory import Outcome, RunDirectory
from trainables.training.run import Run

Key = tuple[int, ...]  # cell and seed


def config_of(design: Design, key: Key) -> TrainConfig:
    """Returns the configuration of the run with a cell and a seed."""
    sections = {name: dict(section) for name, section in design.base.items()}
    for (name, axis), index in zip(design.axes.items(), key, strict=False):
        section, _, option = name.rpartition(".")
        sections[section or "method"][option] = float(axis.values[index])
    return TrainConfig.model_validate({**sections, "seed": key[-1]})


def train(config: TrainConfig) -> dict[str, Any]:
    """Trains a run.

    Returns:
        Number of misclassified validation images after each epoch, and the last epoch's NLL and ECE. A diverged run has
        ``DIVERGED`` from that epoch on, and None for NLL and ECE.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Run(config, Path(folder))
        while not isinstance(outcome := run.advance(), Outcome):
            pass
        rows = RunDirectory(Path(folder)).epochs()
    wrong = [round(row.metrics["validation/top1_error"] * VALIDATION_IMAGES) for row in rows]
    wrong += [DIVERGED] * (config.training.epochs - len(wrong))
    return {"wrong": wrong} | {metric: outcome.metrics.get(f"validation/{metric}") for metric in ("nll", "ece")}


def keys(design: Design) -> Iterator[Key]:
    """Yields all cells of one seed after the other, so that an unfinished recording is a surface with fewer seeds."""
    sizes = [axis.size for axis in design.axes.values()]
    for seed, *cell in itertools.product(range(design.seeds), *map(range, sizes)):
        yield (*cell, seed)


def record(design: Design, notes: Path) -> dict[Key, dict[str, Any]]:
    """Trains the runs that are missing in the notes and appends a line for each; returns all runs."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    found = {tuple(line.pop("key")): line for line in map(json.loads, lines)}
    with notes.open("a") as file:
        for key in keys(design):
            if key not in found:
                found[key] = train(config_of(design, key))
                print(json.dumps({"key": key} | found[key]), file=file, flush=True)
    return found


def write(path: Path, design: Design, found: dict[Key, dict[str, Any]]) -> None:
    """Writes a recording, sorted by cell and seed."""
    rows = [found[key] for key in sorted(found)]
    columns = {
        "wrong": pa.array([row["wrong"] for row in rows], pa.list_(pa.uint16(), design.epochs)),
        **{name: pa.array([row[name] for row in rows], pa.float32()) for name in ("nll", "ece")},
    }
    table = pa.table(columns).replace_schema_metadata({"base": json.dumps(design.base)})
    pq.write_table(table, path, compression="zstd", compression_level=19)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=DESIGNS)
    parser.add_argument(
        "--notes", type=Path, help="file with a line for each finished run; default: beside the surface"
    )
    options = parser.parse_args()
    path, design = path_of(options.name), DESIGNS[options.name]
    path.parent.mkdir(exist_ok=True)
    write(path, design, record(design, options.notes or path.with_suffix(".jsonl")))


if __name__ == "__main__":
    main()
