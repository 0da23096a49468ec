"""S10: trials per hour with one to four processes on one GPU, as `resources.packing: measured` measures them."""

from tests.benchmarks.material import CifarShaped
from tests.benchmarks.measuring import Finding
from trainables.config import TrainConfig
from trainables.costs import side_by_side

MOST = 4
EPOCHS_OF_A_TRIAL = 200


def config_of(model: object, device: str, **dataset: int) -> TrainConfig:
    """Returns the configuration of a CS-KD run on images in CIFAR-100's shape."""
    name = f"{CifarShaped.__module__}:{CifarShaped.__name__}"
    return TrainConfig.model_validate(
        {
            "dataset": {"name": name, **dataset},
            "model": model,
            "method": "cs_kd",
            "training": {"device": device, "lr": 0.01},
        }
    )


def figures(model: str, found: side_by_side.Packing) -> dict[str, float]:
    """Returns the trials per hour for each number of processes, and the number that a study would use."""
    hours = {
        f"{model}, {count} at once, trials an hour": 3600 * rate / EPOCHS_OF_A_TRIAL
        for count, rate in enumerate(found.epochs_per_second, start=1)
    }
    return {**hours, f"{model}, at once in a study": found.best}


def measure() -> Finding:
    """Measures a large and a small network."""
    found: dict[str, float] = {}
    for model in ("preact_resnet18", "preact_resnet10"):
        found |= figures(model, side_by_side.measure(config_of(model, "cuda"), MOST))
    return Finding("none: a report", True, found)
