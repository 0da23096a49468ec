"""Temperature, shared by both terms, and the two weights on logarithmic ranges."""

from optuna.distributions import FloatDistribution

SPACE = {
    "temperature": FloatDistribution(0.5, 16.0, log=True),
    "lambda_kd": FloatDistribution(0.1, 8.0, log=True),
    "lambda_cls": FloatDistribution(0.1, 8.0, log=True),
}
