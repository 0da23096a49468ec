"""Default search space of label smoothing."""

from optuna.distributions import BaseDistribution, FloatDistribution


def search_space(dataset: str, model: str) -> dict[str, BaseDistribution]:
    """The smoothing ε on a logarithmic range around the customary 0.1.

    Args:
        dataset: Name of the data set; the range is the same for all so far.
        model: Name of the model; likewise.
    """
    del dataset, model
    return {"epsilon": FloatDistribution(0.01, 0.5, log=True)}
