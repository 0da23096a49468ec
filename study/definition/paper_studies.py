"""Builds a study for each row of the paper's tables, such as ``cub200-resnet18-byot``.

The rows come from the printed results, the settings that the rows of a data set share from a file in
``presets/paper``, and the search spaces from ``search_spaces``.
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
# The paper's CS-KD-E is cs_kd with lambda_e > 0. The paper does not print the value, so it is searched.
METHODS = {"cs_kd_e": "cs_kd"}
MORE_SPACE = {"cs_kd_e": {"lambda_e": {"low": 0.05, "high": 4, "log": True}}}
# Rows of section 3.3 and figure 4, which print no top-1 error.
MIXED = tuple(Row("bird_dog_indoor", "resnet18", method) for method in (BASELINE, "cs_kd"))


@cache
def names() -> tuple[str, ...]:
    """Returns the names of all studies of the paper, in the order of its tables.

    Example:
        >>> "cifar100-preact_resnet18-cs_kd" in names()
        True
    """
    return tuple(_rows())


def content(name: str) -> dict[str, Any]:
    """Returns the content of a row's study file.

    Args:
        name: Name of the study, one of ``names()``.
    """
    row = _rows()[name]
    common = shared_settings(row.dataset)
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


def shared_settings(dataset: str) -> dict[str, Any]:
    """Returns the settings that the rows of a data set share.

    Args:
        dataset: Name of the data set.

    Returns:
        ``dataset``, ``training``, ``search``, ``starting_points`` (released options by method) and, if the data set has
        a teacher, ``teacher`` (``<model>-<method>``).
    """
    return yaml_reader.read(Path(str(resources.files("study.definition.presets"))) / "paper" / f"{dataset}.yaml")


def needs_teacher(method: str) -> bool:
    """Whether a method (or ``cs_kd_e``) learns from a trained network."""
    part = registry.load("methods", METHODS.get(method, method))()
    return isinstance(part, Method) and part.pretrained() is not None


def _rows() -> dict[str, Row]:
    return {f"{row.dataset}-{row.model}-{row.method}": row for row in (*rows(), *MIXED)}


def _method(name: str, teacher: str) -> Any:
    """Returns the method, with the paper's teacher (section 3.2) from the study ``teacher`` if it needs one."""
    return {"name": name, "teacher": {"study": teacher, "seed": 1}} if needs_teacher(name) else name


def _search(row: Row, shared: dict[str, Any]) -> dict[str, Any]:
    default = space.default_space(METHODS.get(row.method, row.method))
    if default is None:
        # Without anything to search, the paper's learning rate is the only point.
        return {"space": {"training.lr": {"choices": [0.1]}}, "trials": 1}
    more = MORE_SPACE.get(row.method)
    if not more:
        return shared
    return shared | {"space": {parameter: space.as_mapping(found) for parameter, found in default.items()} | more}


def _controls(method: str, starting_points: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns cross-entropy and the method without a search, with the released code's options or its defaults."""
    if method == BASELINE:
        return []
    baseline = {"method": BASELINE}
    if space.default_space(method) is None:
        return [baseline]
    return [baseline, starting_points.get(method, {})]
