"""Registers the confirmed winner in MLflow's model registry: its checkpoint and configuration, no pickled model."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from analysis.findings import best_config, export
from analysis.records import result_files
from study.errors import UsageError
from study.state import lease
from study.state.directory import BEST_CONFIG, open_study
from study.tracking.tracking_thread import open_mirror
from trainables.files.durable import sha256_of
from trainables.runs.checkpoint_names import checksum_of, generations
from trainables.runs.run_directory import RunDirectory
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    from study.state.directory import OpenStudy
    from study.tracking.mlflow_client import ModelVersion

SEPARATOR = "@"
FORBIDDEN = "/:"  # in model names: MLflow's model URIs use them as separators


class Registered(NamedTuple):
    """A model version in MLflow.

    Attributes:
        name: Name of the model.
        version: Version number in MLflow.
        alias: Alias of the version; None if none was requested.
        run: Confirmation run that wrote the checkpoint, such as ``confirm/0``.
    """

    name: str
    version: str
    alias: str | None
    run: str


def register(directory: Path, name: str) -> Registered:
    """Registers the network of the winner's first confirmation run, whose configuration is ``best_config.yaml``.

    The version's artifacts are the checkpoint, its checksum and ``best_config.yaml``. Registering the same checkpoint
    again returns the same version. An existing alias is moved to this version.

    Args:
        directory: The study directory.
        name: Name of the model, with an optional alias: ``NAME`` or ``NAME@ALIAS``.

    Raises:
        StudyDirectoryError: There is no study.
        ResultsError: The winner is not confirmed.
        UsageError: The name is invalid, the study is not tracked, or the checkpoint was deleted.
        HeldError: A driver works on the study.
        ServiceError: MLflow does not respond, or rejects the name or the alias.
    """
    model, separator, alias = name.partition(SEPARATOR)
    if not model or (separator and not alias) or set(model) & set(FORBIDDEN):
        raise UsageError(
            f"{name!r} is not a model name; write NAME or NAME{SEPARATOR}ALIAS, such as digits@champion, "
            f"NAME without {' and '.join(FORBIDDEN)}"
        )
    with open_study(directory) as study:
        if not study.config.tracking.enabled:
            raise UsageError(
                f"{study.config.name} is not tracked (tracking.enabled is false), so it cannot be registered in MLflow"
            )
        with lease.lease(directory):
            return _register(study, model, alias or None)


def _register(study: OpenStudy, model: str, alias: str | None) -> Registered:
    results = result_files.read(study.directory / "results")
    best, config = best_config.collect(results), best_config.winner_config(results)
    number = _trial_of(results, best.arms[0].name, config["seed"])
    checkpoint = _checkpoint(study.directory, number)
    mirror = open_mirror(study)
    mirror.bring_up_to_date(live=False)
    with tempfile.TemporaryDirectory() as temporary:
        files = Path(temporary) / "model"
        files.mkdir()
        for path in (checkpoint, checksum_of(checkpoint)):
            shutil.copy(path, files)
        (files / BEST_CONFIG).write_text(export.export(config, "yaml", export.header(best)), encoding="utf-8")
        version = mirror.register(str(RunKey("confirm", number)), files, _version(model, alias, best, checkpoint))
    return Registered(model, version, alias, str(RunKey("confirm", number)))


def _version(model: str, alias: str | None, best: best_config.BestConfig, checkpoint: Path) -> ModelVersion:
    from study.tracking.mlflow_client import ModelVersion

    digest = sha256_of(checkpoint.read_bytes())
    return ModelVersion(model, alias, {"cskd.checkpoint": digest}, "\n\n".join(export.header(best)))


def _trial_of(results: result_files.Results, arm: str, seed: int) -> int:
    runs = results.confirmations
    done = runs[(runs["arm"] == arm) & (runs["seed"] == seed) & (runs["state"] == "COMPLETE")]
    return int(done["trial"].iloc[0])


def _checkpoint(directory: Path, number: int) -> Path:
    folder = RunDirectory(directory / "confirm" / str(number)).checkpoints
    finished = [path for path in generations(folder) if checksum_of(path).exists()]
    if not finished:
        raise UsageError(
            f"{folder} no longer holds a checkpoint; `cskd train {directory / BEST_CONFIG} --out DIR` trains it again"
        )
    return finished[0]
