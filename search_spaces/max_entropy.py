"""The weight β on a logarithmic range around 0.1, the quoted value, and 1, which fits the paper's calibration."""

from optuna.distributions import FloatDistribution

SPACE = {
    "beta": FloatDistribution(0.03, 3.0, log=True),
}
