"""Plans the studies behind a table or a figure of the paper.

There is one study for each data set and network that the table or figure shows. It searches CS-KD over the paper's grid
(section 3.1: T in {1, 4}, lambda_cls in {1, 2, 3, 4}) on the validation split, and has every other method as a control,
so that all methods are confirmed with the same seeds. Methods with a teacher (Table 4) need a study of the teacher,
which runs first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from analysis.paper import printed
from study.definition import loading, paper_studies, teachers, yaml_reader
from study.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from study.definition.study_config import StudyConfig

Budget = Literal["paper", "smoke"]

GRID: Mapping[str, Any] = {"temperature": {"choices": [1, 4]}, "lambda_cls": {"choices": [1, 2, 3, 4]}}
SEARCHED = "cs_kd"
# Rows that add a term to the searched method. The paper does not print its weight.
EXTENDED: Mapping[str, Mapping[str, float]] = {"cs_kd_e": {"lambda_e": 1.0}}
_COMPARED = ("cross_entropy", SEARCHED)
_REGULARISERS = ("virtual_softmax", "adacos", "max_entropy", "label_smoothing")
# What the figures show (captions of figures 1 to 5): data set, network, methods.
_FIGURES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "figure1b": ("cifar100", "preact_resnet18", _COMPARED),
    "figure2": ("cifar100", "preact_resnet18", _COMPARED),
    "figure3": ("cifar100", "preact_resnet18", (*_COMPARED, "virtual_softmax", "adacos")),
    "figure4": ("bird_dog_indoor", "resnet18", _COMPARED),
    "figure5": ("cifar100", "preact_resnet18", (*_COMPARED, *_REGULARISERS)),
}
# The smoke protocol runs every step on real data in minutes per study; its results are not comparable with the paper.
_SMOKE_TRAINING = {"epochs": 15, "batch_size": 32}
_SMOKE_DATA = {"subset": {"classes": 10, "train_per_class": 100}, "validation": {"per_class": 10, "seed": 0}}
_SMOKE_PHOTOGRAPHS = {"crop": 64}
_SMOKE_WIDTH = 16


class Planned(NamedTuple):
    """A study of a reproduction.

    Attributes:
        name: Name of the study.
        rows: Rows of the paper's tables that the study fills; for a teacher's study, the teacher's row.
        needs: Name of the study whose winner is the teacher; None if no method has a teacher.
    """

    name: str
    rows: tuple[printed.Row, ...]
    needs: str | None = None


def items() -> tuple[str, ...]:
    """Returns the names of the tables and figures that can be reproduced.

    Example:
        >>> items()[0], items()[-1]
        ('table1', 'figure5')
    """
    return (*(f"table{number}" for number in sorted({place.table for place in printed.places()})), *_FIGURES)


def tables(chosen: Sequence[str]) -> list[int]:
    """Returns the numbers of the chosen tables."""
    return [int(item.removeprefix("table")) for item in chosen if item.startswith("table")]


def rows(item: str) -> tuple[printed.Row, ...]:
    """Returns the rows of a table, or the data sets, networks and methods of a figure.

    Raises:
        UsageError: There is no such table or figure.
    """
    if item in _FIGURES:
        dataset, model, methods = _FIGURES[item]
        return tuple(printed.Row(dataset, model, method) for method in methods)
    found = dict.fromkeys(printed.Row(*place[1:4]) for place in printed.places() if f"table{place.table}" == item)
    if not found:
        raise UsageError(f"{item}: no such table or figure; choose from {', '.join(items())}")
    return tuple(found)


def plan(chosen: Sequence[str], datasets: Sequence[str] = (), budget: Budget = "paper") -> list[Planned]:
    """Returns the studies behind tables and figures, teachers first.

    Args:
        chosen: Names from ``items``; a row that several of them show is run once.
        datasets: Data sets to include; empty for all.
        budget: ``paper`` for the paper's protocol, ``smoke`` for the smoke protocol.

    Raises:
        UsageError: There is no such table or figure, or it does not show one of the data sets.
    """
    shown = list(dict.fromkeys(row for item in chosen for row in rows(item)))
    if unknown := set(datasets) - {row.dataset for row in shown}:
        known = ", ".join(dict.fromkeys(row.dataset for row in shown))
        raise UsageError(f"{' and '.join(chosen)}: no data set {' or '.join(sorted(unknown))}; choose from {known}")
    shown = [row for row in shown if not datasets or row.dataset in datasets]
    prefix, suffix = "-".join(dict.fromkeys(chosen)), "" if budget == "paper" else f"-{budget}"
    first, then = list[Planned](), list[Planned]()
    for dataset, model in dict.fromkeys(row[:2] for row in shown):
        own = tuple(row for row in shown if row[:2] == (dataset, model))
        teacher = _teacher(own)
        needs = None if teacher is None else f"{prefix}-{dataset}-{teacher.model}{suffix}"
        if teacher and needs and needs not in [planned.name for planned in first]:
            first.append(Planned(needs, (teacher,)))
        then.append(Planned(f"{prefix}-{dataset}-{model}{suffix}", own, needs))
    return [*first, *then]


def config(planned: Planned, storage: Path, budget: Budget, overrides: Mapping[str, Any]) -> StudyConfig:
    """Returns the configuration of a planned study.

    Args:
        planned: Study from ``plan``.
        storage: Folder of the study directories.
        budget: Budget that was given to ``plan``.
        overrides: Values by ``key.path``, applied to the study.

    Raises:
        StudyFileError: An override has mistakes.
        DataError: The study that it needs has not been run.
    """
    content = _content(planned, storage, budget)
    for key, value in overrides.items():
        yaml_reader.override(content, key, value)
    return loading.build(teachers.resolve(content), planned.name)


def _content(planned: Planned, storage: Path, budget: Budget) -> dict[str, Any]:
    dataset, model, _ = planned.rows[0]
    shared = paper_studies.shared_settings(dataset)
    point = {"temperature": 4, "lambda_cls": 1} | shared["starting_points"].get(SEARCHED, {})
    alone = {row.method for row in planned.rows} == {SEARCHED}
    controls = [_control(row.method, point, storage / (planned.needs or "")) for row in planned.rows]
    content = {
        "name": planned.name,
        "dataset": shared["dataset"],
        "model": {"name": model},
        "method": SEARCHED,
        "training": shared["training"],
        "search": {"space": dict(GRID), "trials": 8, "sampler": {"name": "grid"}},
        "controls": [control for control in controls if control is not None],
        "confirm": {"finalists": 1, "seeds": [1] if alone else [1, 2, 3]},
    }
    return content if budget == "paper" else _shrunk(content)


def _control(method: str, point: Mapping[str, Any], teacher: Path) -> dict[str, Any] | None:
    """Returns the control for a method; None for the searched method."""
    if method == SEARCHED:
        return None
    if method in EXTENDED:
        return {**point, **EXTENDED[method]}
    if paper_studies.needs_teacher(method):
        return {"method": {"name": method, "teacher": {"study": str(teacher), "seed": 1}}}
    return {"method": method}


def _teacher(shown: Sequence[printed.Row]) -> printed.Row | None:
    """Returns the teacher of the methods in these rows, if any (section 3.2: DenseNet-121 trained with CS-KD)."""
    if not any(paper_studies.needs_teacher(row.method) for row in shown):
        return None
    dataset = shown[0].dataset
    model, _, method = paper_studies.shared_settings(dataset)["teacher"].rpartition("-")
    return printed.Row(dataset, model, method)


def _shrunk(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the study under the smoke protocol; milestones are fractions, so the schedule scales with the epochs."""
    from trainables.interfaces import registry
    from trainables.preparation.prepared_dataset import CroppedDataset

    kind, model = registry.load("datasets", content["dataset"]["name"]), content["model"]
    data = content["dataset"] | _SMOKE_DATA | (_SMOKE_PHOTOGRAPHS if issubclass(kind, CroppedDataset) else {})
    narrow = {"width": _SMOKE_WIDTH} if "width" in registry.load("models", model["name"]).model_fields else {}
    return {**content, "dataset": data, "model": model | narrow, "training": content["training"] | _SMOKE_TRAINING}
