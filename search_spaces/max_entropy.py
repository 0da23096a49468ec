"""Default search space of the maximum-entropy penalty."""

from optuna.distributions import BaseDistribution, FloatDistribution


def search_space(dataset: str, model: str) -> dict[str, BaseDistribution]:
    """The weight β on a logarithmic range around 0.1, the quoted value, and 1, which fits the paper's calibration.

    Args:
        dataset: Name of the data set; the range is the same for all so far.
        model: Name of the model; likewise.
    """
    del dataset, model
    return {
        "beta": FloatDistribution(0.03, 3.0, log=True),
    }
