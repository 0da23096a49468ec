"""Points to begin a search with: the best of other studies."""

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
    """A study that begins with its own first points, then with the best of other studies.

    Args:
        config: The study.
        directories: As for ``points``.
        count: Likewise.
    """
    content = config.model_dump(mode="json")
    known = {spaces.key(point) for point in config.search.first}
    more = [point for point in points(config.space(), directories, count) if spaces.key(point) not in known]
    content["search"]["first"] = [*content["search"]["first"], *more]
    return loading.build(content, config.name)


def points(space: spaces.Space, directories: Sequence[Path], count: int = POINTS) -> list[dict[str, Any]]:
    """The best points of other studies that lie in, or at the border of, a space.

    Values of different data sets, models and splits cannot be compared, so only ranks within a study count: first the
    best of each study, then the second best of each.

    Args:
        space: What varies.
        directories: Studies that searched the same parameters; their result files are read.
        count: How many points at most.

    Returns:
        Different points of the space.

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
        raise UsageError(f"{directory}: no search trial has completed, so there is nothing to begin with")
    for _, row in trials.iterrows():
        point = {name: row[f"params/{name}"] for name in space}
        if all(_can_be(of, point[name]) for name, of in space.items()):
            yield _inside(space, point)


def _inside(space: spaces.Space, point: dict[str, Any]) -> dict[str, Any]:
    clipped = {name: _clipped(space[name], value) for name, value in point.items()}
    cell = nearest_free_cell(space, (), clipped) if is_discrete(space) else None
    return cell or clipped


def _can_be(of: Any, value: Any) -> bool:
    """Whether a value can be moved into a space: a number can, a choice that is not there would be another point."""
    return not isinstance(of, CategoricalDistribution) or value in of.choices


def _clipped(of: Any, value: Any) -> Any:
    if isinstance(of, CategoricalDistribution):
        return value
    assert isinstance(of, FloatDistribution)  # noqa: S101 - the only other kind
    return min(max(float(value), of.low), of.high)
