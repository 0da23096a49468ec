"""A study as the runner would leave it: eight search trials, two controls, three finalists, three fresh seeds."""

import copy
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.plots import embedding
from analysis.records import result_files
from analysis.report import study_report
from trainables.runs.predictions import Predictions, write

EPOCHS = 20


def noise(*key: object) -> float:
    """A number in [-0.5, 0.5) that depends on nothing but the key."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48 - 0.5


def config(method: dict[str, Any], *, seed: int = 0, train_on: str = "train", epochs: int = 200) -> dict[str, Any]:
    return {
        "dataset": {
            "name": "cifar100",
            "root": None,
            "validation": {"per_class": 50, "fraction": None, "seed": 0},
            "subset": {"classes": None, "train_per_class": None},
        },
        "model": {"name": "preact_resnet18", "width": 64, "input_size": 32},
        "method": method,
        "training": {
            "epochs": epochs,
            "batch_size": 128,
            "lr": 0.1,
            "momentum": 0.9,
            "weight_decay": 1e-4,
            "milestones": [0.5, 0.75],
        },
        "train_on": train_on,
        "seed": seed,
    }


def cs_kd(temperature: float, lambda_cls: float, lambda_e: float = 0.0) -> dict[str, Any]:
    return {"name": "cs_kd", "temperature": temperature, "lambda_cls": lambda_cls, "lambda_e": lambda_e}


def row(phase: str, trial: int, state: str = "COMPLETE", **more: Any) -> dict[str, Any]:
    return {
        "study": "cifar100-cs_kd",
        "phase": phase,
        "trial": trial,
        "state": state,
        "dataset": "cifar100",
        "model": "preact_resnet18",
        "method": "cs_kd",
        "seed": 100 + trial,
        "epochs": 200,
        "duration_seconds": 12.5,
        "device_seconds": 11.0,
        "attempts": 1,
        "mlflow_run_id": None,
        "error": None,
        **more,
    }


POINTS = [(0.7, 0.3), (1.0, 1.0), (4.0, 2.0), (2.5, 0.5), (4.0, 1.0), (12.0, 6.0), (3.9, 1.1), (4.1, 0.9)]
ERRORS = [0.262, 0.251, 0.2381, 0.2442, 0.2295, None, 0.2320, 0.2295]
NLL = [1.1, 1.0, 0.98, 0.97, 0.93, None, 0.94, 0.91]
ARMS = {
    "search/7": ("finalist", cs_kd(4.1, 0.9), 0.2295, 0.2230),
    "search/4": ("finalist", cs_kd(4.0, 1.0), 0.2295, 0.2225),
    "search/6": ("finalist", cs_kd(3.9, 1.1), 0.2320, 0.2241),
    "controls/0": ("control", {"name": "cross_entropy"}, 0.2534, 0.2466),
    "controls/1": ("control", cs_kd(4.0, 1.0, 0.5), None, 0.2210),
}


def make_study() -> dict[str, Any]:
    """The arguments of ``records.write`` beside the directory."""
    trials = [
        row(
            "search",
            number,
            "PRUNED" if ERRORS[number] is None else "COMPLETE",
            **{"params/temperature": temperature, "params/lambda_cls": weight},
            **{"validation/top1_error": ERRORS[number], "validation/nll": NLL[number]},
        )
        for number, (temperature, weight) in enumerate(POINTS)
    ]
    trials += [
        row("controls", 0, method="cross_entropy", **{"validation/top1_error": 0.2534}),
        row("controls", 1, **{"validation/top1_error": 0.2301, "params/lambda_e": 0.5}),
    ]
    epochs = [
        {
            "study": "cifar100-cs_kd",
            "phase": "search",
            "trial": number,
            "epoch": epoch,
            "attempt": 1,
            "epoch_seconds": 0.5,
            "validation/top1_error": 0.25 + 0.7 / epoch + 0.01 * noise(number, epoch),
            "train/cross_entropy": 4.0 / epoch,
        }
        for number in range(len(POINTS))
        for epoch in range(EPOCHS, 0, -1)
    ]
    confirmations = [
        row(
            "confirm",
            trial,
            seed=seed,
            arm=name,
            trained_on="full",
            **{"test/top1_error": mean + 0.002 * noise("seed", seed) + 0.001 * noise(name, seed), "test/nll": 0.9},
        )
        for trial, (name, (_, _, _, mean), seed) in enumerate(
            (name, arm, seed) for name, arm in ARMS.items() for seed in (11, 12, 13)
        )
    ]
    arms = {
        name: {
            "role": role,
            "phase": name.partition("/")[0],
            "trial": int(name.partition("/")[2]),
            "config": config(method, seed=100),
            "search_value": value,
        }
        for name, (role, method, value, _) in ARMS.items()
    }
    study = {
        "name": "cifar100-cs_kd",
        "config": config(cs_kd(4.0, 1.0)) | {"name": "cifar100-cs_kd"},
        "distributions": {
            "temperature": {"low": 0.5, "high": 16.0, "log": True},
            "lambda_cls": {"low": 0.1, "high": 8.0, "log": True},
        },
        "objectives": ["validation/top1_error"],
        "digests": {"split": "0123456789abcdef"},
        "ledger": [],
        "finalists": ["search/7", "search/4", "search/6"],
        "baseline": "controls/0",
        "arms": arms,
        "states": {"search": {"COMPLETE": 7, "PRUNED": 1}, "controls": {"COMPLETE": 2}, "confirm": {"COMPLETE": 15}},
    }
    return {"trials": trials, "epochs": epochs, "confirmations": confirmations, "study": study}


@pytest.fixture(scope="session")
def _content() -> dict[str, Any]:
    return make_study()


@pytest.fixture
def content(_content: dict[str, Any]) -> dict[str, Any]:
    """What the study's files are written from; a test may change it."""
    return copy.deepcopy(_content)


@pytest.fixture
def unconfirmed(content: dict[str, Any]) -> dict[str, Any]:
    """The same study between its search and its confirmation."""
    content["study"] |= {"arms": {}, "finalists": [], "baseline": None}
    return content | {"confirmations": []}


@pytest.fixture
def extended(content: dict[str, Any]) -> dict[str, Any]:
    """The same study after a longer search: search/2 won and is confirmed, search/4 and search/6 were replaced."""
    arms = content["study"]["arms"]
    new = arms["search/7"] | {"trial": 2, "config": config(cs_kd(4.0, 2.0), seed=100), "search_value": 0.2201}
    content["study"] |= {"finalists": ["search/2", "search/7"], "arms": {"search/2": new, **arms}, "extended": True}
    content["confirmations"] += [
        row("confirm", 15 + number, seed=seed, arm="search/2", trained_on="full", **{"test/top1_error": value})
        for number, (seed, value) in enumerate([(11, 0.2236), (12, 0.2239), (13, 0.2241)])
    ]
    return content


HOSTILE = [
    "<script>window.attacked = 1</script>",
    "</script><img src=x onerror='window.attacked = 1'>",
    "{{7*7}} {% include '/etc/passwd' %} ${7*7}",
    "\x1b[31mred\x1b[0m\x00\u202egnp\u2028",
    '" onmouseover="window.attacked = 1',
    "x" * 10_000 + "<b>",
    "datum.trial; window.attacked = 1",
]


@pytest.fixture
def hostile(content: dict[str, Any]) -> dict[str, Any]:
    """The same study with names, choices, errors and commands that try to be more than text."""
    script, image, template, control, attribute, long, expression = HOSTILE
    content["trials"] = [
        run | {"error": error, f"params/{script}": choice, f"params/{attribute}": 1.0 + number}
        for number, (run, error, choice) in enumerate(zip(content["trials"], HOSTILE * 2, HOSTILE * 2, strict=False))
    ]
    content["trials"][1]["state"] = "FAIL"
    study, range_ = content["study"], {"low": 1.0, "high": 8.0}
    study["distributions"] |= {script: {"choices": HOSTILE}, attribute: range_}
    study["name"] = image
    study["config"]["name"] = image
    study["config"]["model"]["name"] = template
    study["digests"] |= {"data": control}
    for arm in study["arms"].values():
        if arm["role"] == "finalist":
            arm["config"]["method"] |= {"name": expression, script: long, attribute: 1.5}
    study["ledger"] = [{"time": 1.7e9, "trial": 0, "attempt": 1, "arm": script, "host": image, "dataset": attribute}]
    study["provenance"] = [
        {"time": 1.7e9, "action": "launch", "command": text, "versions": {text: text}, "allowed": [text]}
        for text in HOSTILE
    ]
    return content


def predictions(seed: int, images: int = 200, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a network that is often right, and the labels of the one test set."""
    random = np.random.default_rng(seed)
    labels = np.random.default_rng(99).integers(0, classes, images)
    logits = random.normal(size=(images, classes)) + 1.5 * np.eye(classes)[labels]
    return logits.astype(np.float32), labels


@pytest.fixture
def with_predictions(tmp_path: Path, content: dict[str, Any]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Writes predictions for every confirmation run of the study; returns them by trial."""
    return write_predictions(tmp_path, content)


@pytest.fixture
def predictions_of() -> Any:
    """Writes predictions below a study directory."""
    return write_predictions


def write_predictions(
    folder: Path, content: dict[str, Any], groups: tuple[str, ...] = ()
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Predictions for every confirmation run, below a study directory."""
    made = {run["trial"]: predictions(run["trial"]) for run in content["confirmations"]}
    for trial, (logits, labels) in made.items():
        path = folder / "confirm" / str(trial) / "predictions.parquet"
        path.parent.mkdir(parents=True)
        write(path, Predictions(logits, logits, labels), tuple("0123456789"), groups)
    return made


@pytest.fixture(scope="session", autouse=True)
def _quick_maps() -> Iterator[None]:
    """As few steps of t-SNE as scikit-learn takes: what a map looks like is not tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "STEPS", 250)
        yield


@pytest.fixture(scope="session")
def finished_report(_content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report page of the study with predictions; written once, so a test must not change it."""
    folder = tmp_path_factory.mktemp("study")
    write_predictions(folder, _content)
    result_files.write(folder / "results", **_content)
    return study_report.write(result_files.read(folder / "results"), folder / "report")


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Writes a content and reads it back."""

    def write_and_read(content: dict[str, Any]) -> result_files.Results:
        result_files.write(tmp_path / "results", **content)
        return result_files.read(tmp_path / "results")

    return write_and_read


def bowl(temperature: float, weight: float, consistency: float) -> float:
    """An error with a ridge in T and λ_cls and a shallow valley in λ_E."""
    ridge = np.log(weight * min(temperature, 4) / 4)
    return 0.22 + 0.010 * ridge**2 + 0.001 * np.log(consistency) ** 2


@pytest.fixture
def truth() -> Any:
    """The function from which the values of ``searched`` come."""
    return bowl


@pytest.fixture
def searched(content: dict[str, Any]) -> dict[str, Any]:
    """The study with forty trials over three parameters on ``bowl``; one more was pruned and one failed."""
    random, template = np.random.default_rng(3), content["trials"][0]
    trials, epochs = [], []
    for number in range(42):
        point = 2 ** random.uniform(-1, 4), 2 ** random.uniform(-3, 3), 2 ** random.uniform(-4, 2)
        value = bowl(*point) + 0.0005 * random.normal()
        names = ("params/temperature", "params/lambda_cls", "params/lambda_e")
        metrics = {
            "validation/top1_error": value,
            "validation/nll": 4 * value,
            "validation/ece": 0.05 + 0.01 / point[2],
        }
        trials.append(template | {"trial": number} | dict(zip(names, point, strict=True)) | metrics)
        for epoch in range(1, EPOCHS + 1):
            wobble = 0.03 * random.normal() if epoch <= EPOCHS // 2 else 0.0
            losses = {"train/ce": 4.0 / epoch, "train/cls": 0.1 * number, "train/top1_error": 0.5}
            key = {"study": "cifar100-cs_kd", "phase": "search", "trial": number, "epoch": epoch, "attempt": 1}
            epochs.append(key | {"epoch_seconds": 0.5, "validation/top1_error": value + wobble} | losses)
    trials[40]["state"] = "PRUNED"
    trials[41] |= {"state": "FAIL", "validation/top1_error": None}
    content["study"]["distributions"] = {
        "temperature": {"low": 0.5, "high": 16.0, "log": True},
        "lambda_cls": {"low": 0.125, "high": 8.0, "log": True},
        "lambda_e": {"low": 0.0625, "high": 4.0, "log": True},
    }
    controls = [run for run in content["trials"] if run["phase"] == "controls"]
    return content | {"trials": trials + controls, "epochs": epochs}
