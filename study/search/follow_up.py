"""Derives a follow-up study: a narrower search space around the best points, which are tried first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.records import frames
from search_spaces import space as spaces
from search_spaces.narrowing import BEYOND, narrow
from study.definition import loading
from study.errors import StudyFileError, UsageError
from study.state.directory import read_config, read_results

if TYPE_CHECKING:
    from pathlib import Path

    from study.definition.study_config import StudyConfig

SHARE = 4  # the best 1 / SHARE of the trials span the new space
FEWEST = 3
FIRST = 4


def refined(directory: Path) -> StudyConfig:
    """Returns a study around the best quarter of another's trials, with another sampler seed and the best points first.

    The new study trains these points again; it does not reuse their values.

    Args:
        directory: Directory of the finished study.

    Raises:
        StudyDirectoryError: There is no study.
        ResultsError: Its result files are missing or damaged.
        UsageError: Too few trials have completed, or its space cannot be narrowed.
    """
    config, space = read_config(directory), read_config(directory).space()
    trials = frames.ranked_trials(read_results(directory))
    if len(trials) < FEWEST:
        raise UsageError(
            f"{directory}: {len(trials)} search trials have completed; a narrower space needs at least {FEWEST}"
        )
    chosen = trials.head(max(len(trials) // SHARE, FEWEST))
    best = [{name: row[f"params/{name}"] for name in space} for _, row in chosen.iterrows()]
    try:
        return _around(config, best, BEYOND)
    except StudyFileError:  # the method does not accept values beyond the old range
        return _around(config, best, 0.0)


def _around(config: StudyConfig, best: list[dict[str, Any]], beyond: float) -> StudyConfig:
    content = config.model_dump(mode="json")
    content["name"] = f"{config.name}-narrow"
    content["search"] |= {
        "space": {name: spaces.as_mapping(of) for name, of in narrow(config.space(), best, beyond=beyond).items()},
        "first": [_plain(point) for point in best[:FIRST]],
        "sampler": content["search"]["sampler"] | {"seed": config.search.sampler.seed + 1},
    }
    return loading.build(content, content["name"])


def _plain(point: dict[str, Any]) -> dict[str, Any]:
    return {name: value.item() if hasattr(value, "item") else value for name, value in point.items()}
