"""The α of Beta(α, α) on a logarithmic range around 0.2 (ImageNet) and 1 (CIFAR)."""

from optuna.distributions import FloatDistribution

SPACE = {
    "alpha": FloatDistribution(0.1, 2.0, log=True),
}
