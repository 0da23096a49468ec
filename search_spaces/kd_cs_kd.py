"""Default search space of knowledge distillation with CS-KD."""

from optuna.distributions import BaseDistribution, FloatDistribution


def search_space(dataset: str, model: str) -> dict[str, BaseDistribution]:
    """Temperature, shared by both terms, and the two weights on logarithmic ranges.

    Args:
        dataset: Name of the data set; the range is the same for all so far.
        model: Name of the model; likewise.
    """
    del dataset, model
    return {
        "temperature": FloatDistribution(0.5, 16.0, log=True),
        "lambda_kd": FloatDistribution(0.1, 8.0, log=True),
        "lambda_cls": FloatDistribution(0.1, 8.0, log=True),
    }
