"""The smoothing ε on a logarithmic range around the customary 0.1."""

from optuna.distributions import FloatDistribution

SPACE = {"epsilon": FloatDistribution(0.01, 0.5, log=True)}
