"""Converts a configuration to flags of the paper's released code, ``train.py`` of alinlab/cs-kd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.records.result_files import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DATASETS = {
    "cifar100": "cifar100",
    "tiny_imagenet": "tinyimagenet",
    "cub200": "CUB200",
    "stanford_dogs": "STANFORD120",
    "mit67": "MIT67",
}
_MODELS = {
    "preact_resnet18": "CIFAR_ResNet18",
    "densenet121_cifar": "CIFAR_DenseNet121",
    "resnet18": "resnet18",
    "densenet121": "densenet121",
}
_TRAINING = {"epoch": "epochs", "batch-size": "batch_size", "lr": "lr", "decay": "weight_decay"}
_FIXED = {"momentum": 0.9, "milestones": [0.5, 0.75]}


def flags(config: Mapping[str, Any]) -> list[str]:
    """Returns the flags that train a ``TrainConfig`` with the released code.

    Raises:
        ResultsError: The released code lacks flags for a part of the configuration; the message lists all such parts.

    Example:
        >>> training = {"epochs": 200, "batch_size": 128, "lr": 0.1, "weight_decay": 1e-4}
        >>> model, method = {"name": "preact_resnet18"}, {"name": "cs_kd", "temperature": 4.0, "lambda_cls": 1.0}
        >>> " ".join(flags({"dataset": {"name": "cifar100"}, "model": model, "method": method, "training": training}))
        '--dataset cifar100 --model CIFAR_ResNet18 --epoch 200 ... --decay 0.0001 --cls --temp 4.0 --lamda 1.0'
    """
    unsupported = list(_unsupported(config))
    if unsupported:
        raise ResultsError(f"the released code has no flag for {'; '.join(unsupported)}; export as args, yaml or json")
    method, training = config["method"], config["training"]
    named = {
        "dataset": _DATASETS[config["dataset"]["name"]],
        "model": _MODELS[config["model"]["name"]],
        **{flag: training[key] for flag, key in _TRAINING.items()},
    }
    found = [word for flag, value in named.items() for word in (f"--{flag}", str(value))]
    if method["name"] == "cs_kd":
        found += ["--cls", "--temp", str(method["temperature"]), "--lamda", str(method["lambda_cls"])]
    return found


def _unsupported(config: Mapping[str, Any]) -> Iterator[str]:
    dataset, model, method = (config[part]["name"] for part in ("dataset", "model", "method"))
    if dataset not in _DATASETS:
        yield f"the data set {dataset}"
    if model not in _MODELS:
        yield f"the model {model}"
    if method not in ("cross_entropy", "cs_kd"):
        yield f"the method {method}"
    if config["method"].get("lambda_e", 0):
        yield f"lambda_e {config['method']['lambda_e']:g}"
    for name, value in _FIXED.items():
        ours = config["training"].get(name, value)
        if (list(ours) if isinstance(ours, tuple) else ours) != value:
            yield f"{name} {ours} instead of {value}"
    if any(value is not None for value in (config["dataset"].get("subset") or {}).values()):
        yield "a part of the data"
    if config["model"].get("width", 64) != 64:
        yield f"width {config['model']['width']}"
