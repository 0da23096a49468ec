"""Runs several studies one after the other within one budget; running the same campaign again resumes it."""

from __future__ import annotations

import fnmatch
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.definition import loading
from study.definition.sections import Budget
from study.errors import HeldError, ServiceError, UsageError
from study.state import directory as study_directory
from trainables.errors import CskdError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from study.definition.study_config import StudyConfig

    Outputs = Callable[[Path], AbstractContextManager[Mapping[str, Any]]]

WILDCARDS = "*?["


@dataclass(frozen=True)
class StudyOutcome:
    """How one study of a campaign ended.

    Attributes:
        directory: Study directory.
        error: Reason why the study did not finish; None if there was no error.
        interrupted: Number of the signal that stopped the study and the campaign; None if there was none.
    """

    directory: Path
    error: str | None = None
    interrupted: int | None = None

    @property
    def finished(self) -> bool:
        """Whether the study ran to its end."""
        return self.error is None and self.interrupted is None


def expand(sources: Sequence[str]) -> list[str]:
    """Returns presets and study files in order, with patterns such as ``cub200-*`` or ``studies/*.yaml`` expanded.

    Raises:
        UsageError: A pattern matches nothing.
    """
    found: list[str] = []
    for source in sources:
        names = [source]
        if any(character in source for character in WILDCARDS):
            names = fnmatch.filter(loading.presets(), source) or sorted(map(str, Path().glob(source)))
            if not names:
                raise UsageError(f"{source}: matches no preset and no file; `cskd presets` lists presets")
        found += [name for name in names if name not in found]
    return found


def load(sources: Sequence[str], overrides: Mapping[str, Any]) -> list[StudyConfig]:
    """Loads and checks all studies.

    Raises:
        StudyFileError: A study has mistakes.
        UsageError: Two studies have the same name and so the same directory.
    """
    configs = [loading.load(source, overrides) for source in sources]
    names = [config.name for config in configs]
    for source, name in zip(sources, names, strict=True):
        if names.count(name) > 1:
            raise UsageError(f"{source}: several studies are named {name!r}; give each a different name")
    return configs


def run(
    studies: Mapping[str, Callable[[], StudyConfig]],
    storage: Path,
    *,
    hours: float | None,
    say: Callable[[str], None],
    outputs: Outputs,
    **options: Any,
) -> list[StudyOutcome]:
    """Launches each study, or resumes it if its directory exists.

    An error in a study ends that study only. A signal or an unavailable service ends the campaign.

    Args:
        studies: Functions that return the studies, by name; called when the study starts, because it may need results
            of an earlier one.
        storage: Folder of the study directories.
        hours: Total wall time; each study may use an equal share of the time left when it starts. None: each study
            has the budget of its study file.
        say: Function that prints a line; called for each study.
        outputs: Function that opens the driver's outputs for a study directory, as arguments of ``api.launch``.
        options: Other arguments of ``api.launch`` and ``api.resume``.

    Returns:
        Outcomes of the studies up to the interruption, or of all.

    Raises:
        ServiceError: A service is unavailable.
        HeldError: Another driver works on a study.
    """
    began, outcomes = time.monotonic(), list[StudyOutcome]()
    for number, (name, config) in enumerate(studies.items()):
        say(f"[{number + 1}/{len(studies)}] {name}")
        left = None if hours is None else hours - (time.monotonic() - began) / 3600
        if left is not None and left <= 0:
            outcomes.append(StudyOutcome(storage / name, "not started: the campaign's time budget is used up"))
        else:
            share = None if left is None else left / (len(studies) - number)
            with outputs(storage / name) as written:
                outcomes.append(_run_one(name, config, storage, share, {**options, **written}))
        if outcomes[-1].error is not None:
            say(f"{name}: {outcomes[-1].error}")
        if outcomes[-1].interrupted is not None:
            break
    return outcomes


def _run_one(
    name: str, study: Callable[[], StudyConfig], storage: Path, hours: float | None, options: Mapping[str, Any]
) -> StudyOutcome:
    from study import api  # slow to import

    directory = storage / name
    try:
        config = study()
        if (directory / study_directory.STUDY_FILE).exists():
            _check_same_study(config, directory)
            ending = api.resume(directory, **options)
        else:
            _, ending = api.launch(config if hours is None else _with_hours(config, hours), storage, **options)
    except (ServiceError, HeldError):
        raise
    except CskdError as error:
        return StudyOutcome(directory, str(error).splitlines()[0])
    return StudyOutcome(
        directory,
        None if ending.complete else "every search trial failed",
        None if ending.interrupted is None else int(ending.interrupted),
    )


def _with_hours(config: StudyConfig, hours: float) -> StudyConfig:
    """Returns the study with a budget of at most ``hours``."""
    budget = config.search.budget
    hours = min(hours, budget.hours or hours)
    search = config.search.model_copy(update={"budget": budget.model_copy(update={"hours": hours})})
    return config.model_copy(update={"search": search})


def _check_same_study(config: StudyConfig, directory: Path) -> None:
    """Checks that a study directory contains this study; only the hours of the budget may differ.

    Raises:
        StudyDirectoryError: The directory contains a different study.
    """
    existing = study_directory.read_config(directory)
    if _without_hours(existing) != _without_hours(config):
        study_directory.refuse_existing(config, directory.parent)


def _without_hours(config: StudyConfig) -> dict[str, Any]:
    content = config.resolved()
    content["search"]["budget"] = Budget().model_dump(mode="json") | content["search"]["budget"] | {"hours": None}
    return content
