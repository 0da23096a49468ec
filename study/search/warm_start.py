"""Warm start: takes the first points of a search from the best trials of other studies."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from optuna.distributions import CategoricalDistribution, FloatDistribution

from analysis.records import frames
from search_spaces import space as spaces
from study.definition import loading
from study.errors import UsageError
from study.search.enumeration import is_discrete, nearest_free_cell
from study.state.directory import read_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from study.definition.study_config import StudyConfig

POINTS = 4


def warm_started(config: StudyConfig, directories: Sequence[Path], count: int = POINTS) -> StudyConfig:
    """Returns a study that starts with its own first points, followed by the best of other studies.

    Args:
        config: Configuration of the study.
        directories: Directories of the other studies.
        count: Maximum number of points from other studies.

    Raises:
        CskdError: See ``points``.
    """
    content = config.model_dump(mode="json")
    known = {spaces.key(point) for point in config.search.first}
    more = [point for point in points(config.space(), directories, count) if spaces.key(point) not in known]
    content["search"]["first"] = [*content["search"]["first"], *more]
    return loading.build(content, config.name)


def points(space: spaces.Space, directories: Sequence[Path], count: int = POINTS) -> list[dict[str, Any]]:
    """Returns the best points of other studies, moved to the border of a space where they lie outside it.

    Values of different data sets, models and splits are not comparable, so only ranks within a study count: first the
    best of each study, then the second best of each.

    Args:
        space: Search space.
        directories: Directories of studies that searched the same parameters; their result files are read.
        count: Maximum number of points.

    Returns:
        Distinct points of the space.

    Raises:
        ResultsError: The result files of a study are missing or damaged.
        UsageError: A study searched other parameters, or none of its trials has completed.
    """
    ranked = [_ranked(space, directory) for directory in directories]
    found: dict[Any, dict[str, Any]] = {}
    for point in itertools.chain.from_iterable(itertools.zip_longest(*ranked)):
        if point is not None:
            found.setdefault(spaces.key(point), point)
    return list(found.values())[:count]


def _ranked(space: spaces.Space, directory: Path) -> Iterator[dict[str, Any]]:
    results = read_results(directory)
    searched = set(results.study["distributions"])
    if searched != set(space):
        raise UsageError(
            f"{directory}: searched {', '.join(sorted(searched))}, not {', '.join(sorted(space))}; a warm start needs "
            "the same parameters"
        )
    trials = frames.ranked_trials(results)
    if trials.empty:
        raise UsageError(f"{directory}: no search trial has completed, so there are no points to start with")
    for _, row in trials.iterrows():
        point = {name: row[f"params/{name}"] for name in space}
        if all(_can_move(distribution, point[name]) for name, distribution in space.items()):
            yield _inside(space, point)


def _inside(space: spaces.Space, point: dict[str, Any]) -> dict[str, Any]:
    clipped = {name: _clipped(space[name], value) for name, value in point.items()}
    cell = nearest_free_cell(space, (), clipped) if is_discrete(space) else None
    return cell or clipped


def _can_move(distribution: Any, value: Any) -> bool:
    """Whether a value can be moved into a range: any number can, but only the choices that the space has."""
    return not isinstance(distribution, CategoricalDistribution) or value in distribution.choices


def _clipped(distribution: Any, value: Any) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return value
    assert isinstance(distribution, FloatDistribution)  # noqa: S101 - the only other kind
    return min(max(float(value), distribution.low), distribution.high)
