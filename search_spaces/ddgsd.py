"""Temperature and both weights on logarithmic ranges around the published 3, 1 and 0.0005."""

from optuna.distributions import FloatDistribution

SPACE = {
    "temperature": FloatDistribution(0.5, 16.0, log=True),
    "lambda_kl": FloatDistribution(0.1, 8.0, log=True),
    "mu": FloatDistribution(5e-5, 5e-2, log=True),
}
