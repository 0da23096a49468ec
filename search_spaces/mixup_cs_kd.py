"""Default search space of mixup with CS-KD."""

from optuna.distributions import BaseDistribution, FloatDistribution


def search_space(dataset: str, model: str) -> dict[str, BaseDistribution]:
    """The ranges of mixup and of CS-KD together.

    Args:
        dataset: Name of the data set; the range is the same for all so far.
        model: Name of the model; likewise.
    """
    del dataset, model
    return {
        "alpha": FloatDistribution(0.1, 2.0, log=True),
        "temperature": FloatDistribution(0.5, 16.0, log=True),
        "lambda_cls": FloatDistribution(0.1, 8.0, log=True),
    }
