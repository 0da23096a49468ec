"""Default search space of knowledge distillation."""

from optuna.distributions import BaseDistribution, FloatDistribution


def search_space(dataset: str, model: str) -> dict[str, BaseDistribution]:
    """Temperature and weight on logarithmic ranges around the defaults 4 and 1.

    Args:
        dataset: Name of the data set; the range is the same for all so far.
        model: Name of the model; likewise.
    """
    del dataset, model
    return {
        "temperature": FloatDistribution(0.5, 16.0, log=True),
        "lambda_kd": FloatDistribution(0.1, 8.0, log=True),
    }
