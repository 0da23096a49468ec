"""Trains one configuration without Ray, for ``cskd train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from study.definition import teachers, yaml_reader
from study.errors import StudyFileError, UsageError
from study.machine.folders import make_directory
from study.state.directory import STUDY_FILE
from study.state.ledger import FILE_NAME, LedgeredAccess
from study.views.data_progress import fetch_with_progress
from trainables.config import TrainConfig
from trainables.files.durable import write_atomic
from trainables.interfaces.error_messages import one_line_per_mistake
from trainables.runs.run_directory import Outcome, RunDirectory

if TYPE_CHECKING:
    from rich.console import Console

ARM = "train"
CONFIG_FILE = "config.yaml"


def read_train_config(path: Path) -> TrainConfig:
    """Reads a run's configuration from a file such as ``best_config.yaml``.

    Raises:
        StudyFileError: The file has errors, one line each, or is a study file.
    """
    content = teachers.resolve(yaml_reader.read(path))
    if "search" in content or "confirm" in content:
        raise StudyFileError(f"{path}: is a study file, not one run's configuration; `cskd launch {path}` runs it")
    try:
        return TrainConfig.model_validate(content)
    except ValidationError as error:
        raise StudyFileError(*(f"{path}: {line}" for line in one_line_per_mistake(error))) from error


def train(config: TrainConfig, directory: Path, console: Console, *, test: bool) -> Outcome:
    """Trains one configuration with a progress bar; resumes where an earlier call was stopped.

    Args:
        config: Configuration of the run.
        directory: Folder of the run's files.
        console: Console for the progress bar.
        test: Whether to read the test set at the last epoch; the reading is recorded in the ledger in ``directory``.

    Returns:
        Outcome of the run; that of an earlier call if the run has finished.

    Raises:
        UsageError: The directory holds a study, a run of another configuration, or one that ended without ``test``.
        CskdError: The data or the configuration is unsuitable.
    """
    _refuse_another_run(directory, config)
    make_directory(directory)
    run_directory = RunDirectory(directory)
    done = run_directory.outcome()
    if done is not None and done.state == "finished":
        if test and not any(name.startswith("test/") for name in done.metrics):
            raise UsageError(f"{directory}: this run ended without reading the test set; give another --out")
        return done
    attempt = 1 + max((row.attempt for row in run_directory.epochs()), default=0)
    access = LedgeredAccess(directory / FILE_NAME, ARM, 0, attempt, ARM, config.digest(), config.seed) if test else None
    return _train(config, directory, attempt, access, console)


def _refuse_another_run(directory: Path, config: TrainConfig) -> None:
    if (directory / STUDY_FILE).exists():
        raise UsageError(f"{directory}: holds a study; give another --out")
    frozen = directory / CONFIG_FILE
    if frozen.exists() and read_train_config(frozen).digest() != config.digest():
        raise UsageError(f"{directory}: holds a run of another configuration; give another --out")


def _train(
    config: TrainConfig, directory: Path, attempt: int, access: LedgeredAccess | None, console: Console
) -> Outcome:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from trainables.training.run import Run

    fetch_with_progress(config.dataset, console)
    columns = (
        TextColumn("epoch"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        run = Run(config, directory, attempt=attempt, test_access=access, keep_checkpoint=True)
        # Written after the run has opened, so that a configuration that cannot run does not occupy the folder.
        write_atomic(directory / CONFIG_FILE, yaml_reader.dump(config.model_dump(mode="json")))
        task = bar.add_task("", total=config.training.epochs, completed=run.epoch)
        try:
            while True:
                reported = run.advance()
                bar.update(task, completed=reported.epoch, description=_summary(reported.metrics))
                if isinstance(reported, Outcome):
                    return reported
        except KeyboardInterrupt:
            run.close()
            raise


def _summary(metrics: dict[str, float]) -> str:
    shown = {
        name: metrics[name] for name in ("train/loss", "validation/top1_error", "test/top1_error") if name in metrics
    }
    return ", ".join(f"{name} {x:.4f}" for name, x in shown.items())
