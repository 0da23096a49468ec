"""Several studies, one after the other, with one budget; launched again, a campaign that was stopped goes on."""

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
class Part:
    """What became of a study.

    Attributes:
        directory: Its study directory.
        error: Why it did not go to its end; None where it did.
        interrupted: Number of the signal that stopped it, and with it the campaign.
    """

    directory: Path
    error: str | None = None
    interrupted: int | None = None


def expand(sources: Sequence[str]) -> list[str]:
    """Presets and study files, in order, with patterns such as ``cub200-*`` or ``studies/*.yaml`` written out.

    Raises:
        UsageError: A pattern fits nothing.
    """
    found: list[str] = []
    for source in sources:
        names = [source]
        if any(sign in source for sign in WILDCARDS):
            names = fnmatch.filter(loading.presets(), source) or sorted(map(str, Path().glob(source)))
            if not names:
                raise UsageError(f"{source}: fits no preset and no file; `cskd presets` lists presets")
        found += [name for name in names if name not in found]
    return found


def load(sources: Sequence[str], overrides: Mapping[str, Any]) -> list[StudyConfig]:
    """The studies, all checked before one begins.

    Raises:
        StudyFileError: One has mistakes.
        UsageError: Two have the same name, so that they would have the same directory.
    """
    configs = [loading.load(source, overrides) for source in sources]
    names = [config.name for config in configs]
    for source, name in zip(sources, names, strict=True):
        if names.count(name) > 1:
            raise UsageError(f"{source}: several studies are named {name!r}; give each a name of its own")
    return configs


def run(
    studies: Mapping[str, Callable[[], StudyConfig]],
    storage: Path,
    *,
    hours: float | None,
    say: Callable[[str], None],
    outputs: Outputs,
    **options: Any,
) -> list[Part]:
    """Launches each study, or goes on with it where it is there already.

    What is wrong with a study ends that study alone; a signal, and a service that is away, end the campaign.

    Args:
        studies: By name, each asked for when its turn comes: one may need what an earlier one has left.
        storage: Folder of the study directories.
        hours: Wall time of all together: each may use an equal share of what is left when it begins. None: each has
            the budget of its own file.
        say: Takes a line for each study that begins.
        outputs: Gives, for a study directory, where its driver writes, as ``api.launch`` takes it.
        options: As ``api.launch`` takes them.

    Returns:
        What became of those that began.
    """
    began, parts = time.monotonic(), list[Part]()
    for number, (name, config) in enumerate(studies.items()):
        say(f"[{number + 1}/{len(studies)}] {name}")
        left = None if hours is None else hours - (time.monotonic() - began) / 3600
        if left is not None and left <= 0:
            parts.append(Part(storage / name, "not begun: the campaign's hours are over"))
        else:
            share = None if left is None else left / (len(studies) - number)
            with outputs(storage / name) as written:
                parts.append(_one(name, config, storage, share, {**options, **written}))
        if parts[-1].error is not None:
            say(f"{name}: {parts[-1].error}")
        if parts[-1].interrupted is not None:
            break
    return parts


def _one(
    name: str, study: Callable[[], StudyConfig], storage: Path, hours: float | None, options: Mapping[str, Any]
) -> Part:
    from study import api  # loads what runs a study; mistakes are told before

    directory = storage / name
    try:
        config = study()
        if (directory / study_directory.STUDY_FILE).exists():
            _refuse_another(config, directory)
            ending = api.resume(directory, **options)
        else:
            _, ending = api.launch(config if hours is None else _within(config, hours), storage, **options)
    except (ServiceError, HeldError):
        raise
    except CskdError as error:
        return Part(directory, str(error).splitlines()[0])
    return Part(
        directory,
        None if ending.complete else "every search trial failed",
        None if ending.interrupted is None else int(ending.interrupted),
    )


def _within(config: StudyConfig, hours: float) -> StudyConfig:
    """The study with at most these hours."""
    budget = config.search.budget
    hours = min(hours, budget.hours or hours)
    search = config.search.model_copy(update={"budget": budget.model_copy(update={"hours": hours})})
    return config.model_copy(update={"search": search})


def _refuse_another(config: StudyConfig, directory: Path) -> None:
    """A study that is there may differ by its share of the hours alone.

    Raises:
        StudyDirectoryError: It differs in more.
    """
    there = study_directory.read_config(directory)
    if _without_hours(there) != _without_hours(config):
        study_directory.refuse_existing(config, directory.parent)


def _without_hours(config: StudyConfig) -> dict[str, Any]:
    content = config.resolved()
    content["search"]["budget"] = Budget().model_dump(mode="json") | content["search"]["budget"] | {"hours": None}
    return content
