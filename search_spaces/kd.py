"""Temperature and weight on logarithmic ranges around the defaults 4 and 1."""

from optuna.distributions import FloatDistribution

SPACE = {
    "temperature": FloatDistribution(0.5, 16.0, log=True),
    "lambda_kd": FloatDistribution(0.1, 8.0, log=True),
}
