"""Default search space of mixup."""

from optuna.distributions import BaseDistribution, FloatDistribution


def search_space(dataset: str, model: str) -> dict[str, BaseDistribution]:
    """The α of Beta(α, α) on a logarithmic range around 0.2 (ImageNet) and 1 (CIFAR).

    Args:
        dataset: Name of the data set; the range is the same for all so far.
        model: Name of the model; likewise.
    """
    del dataset, model
    return {
        "alpha": FloatDistribution(0.1, 2.0, log=True),
    }
