"""A study for each row of the paper's tables, such as ``cub200-resnet18-byot``.

Which rows there are follows from the printed results, what the rows of a data set share stands in one file
(``presets/paper``), and what a method searches in ``search_spaces``.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from analysis.paper.printed import Row, rows
from search_spaces import space
from study.definition import yaml_reader
from study.machine.folders import storage_folder
from trainables.interfaces import Method, registry

BASELINE = "cross_entropy"
# The paper's CS-KD-E is cs_kd with lambda_e, whose value it does not print.
METHODS = {"cs_kd_e": "cs_kd"}
MORE_SPACE = {"cs_kd_e": {"lambda_e": {"low": 0.05, "high": 4, "log": True}}}
# Rows without a printed top-1 error: section 3.3 and figure 4 train them on the mixed set.
MIXED = tuple(Row("bird_dog_indoor", "resnet18", method) for method in (BASELINE, "cs_kd"))


@cache
def names() -> tuple[str, ...]:
    """Names of all such studies, in the order of the tables.

    Example:
        >>> "cifar100-preact_resnet18-cs_kd" in names()
        True
    """
    return tuple(_rows())


def content(name: str) -> dict[str, Any]:
    """The study file of a row, as a mapping.

    Args:
        name: One of ``names``.
    """
    row = _rows()[name]
    common = shared(row.dataset)
    starting_points, teacher = common.pop("starting_points"), common.pop("teacher", None)
    method = METHODS.get(row.method, row.method)
    return common | {
        "name": name,
        "model": row.model,
        "method": _method(method, f"{storage_folder(None)}/{row.dataset}-{teacher}"),
        "search": _search(row, common["search"]),
        "controls": _controls(method, starting_points),
        "confirm": {"finalists": 3, "seeds": [1, 2, 3]},
    }


def shared(dataset: str) -> dict[str, Any]:
    """What the rows of a data set share: ``dataset training search starting_points``, and ``teacher`` where one is."""
    return yaml_reader.read(Path(str(resources.files("study.definition.presets"))) / "paper" / f"{dataset}.yaml")


def learns(method: str) -> bool:
    """Whether a method, or ``cs_kd_e``, learns from a trained network."""
    part = registry.load("methods", METHODS.get(method, method))()
    return isinstance(part, Method) and part.pretrained() is not None


def _rows() -> dict[str, Row]:
    return {f"{row.dataset}-{row.model}-{row.method}": row for row in (*rows(), *MIXED)}


def _method(name: str, teacher: str) -> Any:
    """The method; one that learns from a trained network takes the paper's (section 3.2), of a study of its own."""
    return {"name": name, "teacher": {"study": teacher, "seed": 1}} if learns(name) else name


def _search(row: Row, shared: dict[str, Any]) -> dict[str, Any]:
    default = space.default_space(METHODS.get(row.method, row.method))
    if default is None:
        # Nothing to search: the paper's learning rate is the only point, and the confirmation measures it.
        return {"space": {"training.lr": {"choices": [0.1]}}, "trials": 1}
    more = MORE_SPACE.get(row.method)
    return shared | ({"space": {name: space.as_mapping(of) for name, of in default.items()} | more} if more else {})


def _controls(method: str, starting_points: dict[str, Any]) -> list[dict[str, Any]]:
    """Cross-entropy, and what the method is without a search: the released code's values, or its defaults."""
    if method == BASELINE:
        return []
    baseline = {"method": BASELINE}
    if space.default_space(method) is None:
        return [baseline]
    return [baseline, starting_points.get(method, {})]
