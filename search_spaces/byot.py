"""Default search space of BYOT."""

from optuna.distributions import BaseDistribution, FloatDistribution


def search_space(dataset: str, model: str) -> dict[str, BaseDistribution]:
    """Temperature, the share α of distillation and the feature weight around 3, 0.3 and 0.0001.

    Args:
        dataset: Name of the data set; the range is the same for all so far.
        model: Name of the model; likewise.
    """
    del dataset, model
    return {
        "temperature": FloatDistribution(0.5, 16.0, log=True),
        "alpha": FloatDistribution(0.05, 0.95),
        "lambda_f": FloatDistribution(1e-6, 1e-2, log=True),
    }
