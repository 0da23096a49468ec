"""Default search space of data-distortion guided self-distillation."""

from optuna.distributions import BaseDistribution, FloatDistribution


def search_space(dataset: str, model: str) -> dict[str, BaseDistribution]:
    """Temperature and both weights on logarithmic ranges around the published 3, 1 and 0.0005.

    Args:
        dataset: Name of the data set; the range is the same for all so far.
        model: Name of the model; likewise.
    """
    del dataset, model
    return {
        "temperature": FloatDistribution(0.5, 16.0, log=True),
        "lambda_kl": FloatDistribution(0.1, 8.0, log=True),
        "mu": FloatDistribution(5e-5, 5e-2, log=True),
    }
