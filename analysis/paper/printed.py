"""Looks up the paper's printed numbers, and checks whether a run may be compared with them."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_PRINTED_AS = {"ece": ("ece20",), "top1_error": ("top1_error", "top1_error_1crop")}
_BATCH = {"cifar100": 128, "tiny_imagenet": 128, "cub200": 32, "stanford_dogs": 32, "mit67": 32, "imagenet": 256}
_MODEL_DEFAULTS = {"width": 64, "input_size": 32, "shortcut": "preact"}
_METHOD_DEFAULTS = {"partner_may_equal_anchor": True}


class Published(NamedTuple):
    """A value that the paper prints.

    Attributes:
        mean: Mean as a fraction in [0, 1].
        std: Standard deviation over seeds as a fraction; None if none is printed.
        seeds: Number of seeds; None if the paper does not state it.
        table: Number of the table, or ``text``.
        note: Remark on the value; often empty.
    """

    mean: float
    std: float | None
    seeds: int | None
    table: str
    note: str


def published(dataset: str, model: str, method: str, metric: str) -> Published | None:
    """Returns the value that the paper prints for a metric; None if it prints none.

    Args:
        dataset: Name of the data set.
        model: Name of the model.
        method: Name of the method, or ``cs_kd_e`` for CS-KD with lambda_e > 0.
        metric: Name without the split: ``top1_error``, ``top5_error``, ``ece`` (20 bins), ``recall_at_1``.

    Example:
        >>> published("cifar100", "preact_resnet18", "cs_kd", "top1_error")
        Published(mean=0.2199, std=0.0013, seeds=3, table='1', note='')
    """
    names = _PRINTED_AS.get(metric, (metric,))
    return next((value for name in names if (value := _values().get((dataset, model, method, name)))), None)


class Row(NamedTuple):
    """A combination of data set, network and method.

    Attributes:
        dataset: Name of the data set.
        model: Name of the model.
        method: Name of the method, or ``cs_kd_e`` for CS-KD with lambda_e > 0.
    """

    dataset: str
    model: str
    method: str


def rows() -> tuple[Row, ...]:
    """Returns all combinations for which the paper prints a result, in its order.

    Example:
        >>> rows()[0]
        Row(dataset='cifar100', model='preact_resnet18', method='cross_entropy')
    """
    return tuple(dict.fromkeys(Row(*key[:3]) for key in _values()))


class Place(NamedTuple):
    """Place of a printed value in the paper.

    Attributes:
        table: Number of the table, 1 to 6.
        dataset: Name of the data set.
        model: Name of the model.
        method: Name of the method, or ``cs_kd_e`` for CS-KD with lambda_e > 0.
        metric: Name without the split, as in ``published``.
    """

    table: int
    dataset: str
    model: str
    method: str
    metric: str


@cache
def places() -> tuple[Place, ...]:
    """Returns every cell of the paper's tables, in its order.

    Example:
        >>> len(places()), places()[0].table
        (231, 1)
    """
    names = {printed: name for name, all_printed in _PRINTED_AS.items() for printed in all_printed}
    return tuple(
        Place(int(row["table"]), row["dataset"], row["model"], row["method"], names.get(row["metric"], row["metric"]))
        for row in _lines()
        if row["table"].isdigit() and not row["metric"].startswith("relative_")  # derived from other values
    )


def method_label(method: Mapping[str, Any]) -> str:
    """Returns the label of a method; CS-KD with the consistency term is the paper's CS-KD-E (section 3.4).

    Example:
        >>> method_label({"name": "cs_kd", "lambda_e": 0.5}), method_label({"name": "cs_kd", "lambda_e": 0.0})
        ('cs_kd_e', 'cs_kd')
    """
    return f"{method['name']}_e" if method.get("lambda_e", 0) > 0 else str(method["name"])


def comparable(config: Mapping[str, Any]) -> str | None:
    """Returns why a run must not be compared with the paper's value, as one line; None if it may.

    Args:
        config: ``TrainConfig`` of the run as a mapping.

    Example:
        >>> comparable({"dataset": {"name": "digits"}, "model": {"name": "resnet18"}})
        'the paper does not use digits'
    """
    dataset = config["dataset"]["name"]
    if dataset not in _BATCH:
        return f"the paper does not use {dataset}"
    reasons = [
        *_differences(config["training"], _protocol(dataset)),
        *_differences(config["model"], _MODEL_DEFAULTS),
        *_differences(config.get("method", {}), _METHOD_DEFAULTS),
        *_differences(config["dataset"], {"crop": 32 if dataset == "tiny_imagenet" else 224}),
        *(["part of the data"] if _is_part(config["dataset"]) else []),
        *([] if config["train_on"] == "full" else ["validation split left out of training"]),
    ]
    return "; ".join(reasons) or None


def _is_part(dataset: Mapping[str, Any]) -> bool:
    """Returns whether a run uses a subset, or data prepared from a part of the published data set."""
    return any(value for key in ("subset", "expect") for value in (dataset.get(key) or {}).values())


def _protocol(dataset: str) -> dict[str, Any]:
    """Returns the protocol of section 3.1, which gives no learning-rate milestones for ImageNet."""
    same = {"batch_size": _BATCH[dataset], "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
    if dataset == "imagenet":
        return {"epochs": 90, **same}
    return {"epochs": 200, **same, "milestones": [0.5, 0.75]}


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    pairs = [(name, ours.get(name, value), value) for name, value in theirs.items()]
    return [
        f"{name} {_spelled(our)} instead of {_spelled(their)}" for name, our, their in pairs if _plain(our) != their
    ]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _spelled(value: Any) -> str:
    if isinstance(value, bool):  # :g would print 0 or 1
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(_plain(value))


@cache
def _values() -> dict[tuple[str, str, str, str], Published]:
    """Returns all printed values; of repeated ones the first, which is in a table with its standard deviation."""
    values: dict[tuple[str, str, str, str], Published] = {}
    for row in _lines():
        values.setdefault((row["dataset"], row["model"], row["method"], row["metric"]), _published(row))
    return values


@cache
def _lines() -> tuple[dict[str, str], ...]:
    with (files("analysis.paper") / "printed.csv").open(encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


def _published(row: Mapping[str, str]) -> Published:
    """Converts percent with two decimals to the nearest fraction with four."""
    mean, std = (round(float(row[name]) / 100, 8) if row[name] else None for name in ("mean_percent", "std_percent"))
    assert mean is not None  # noqa: S101 - every row has a mean; a test reads them all
    return Published(mean, std, int(row["n_seeds"]) if row["n_seeds"] else None, row["table"], row["note"])
