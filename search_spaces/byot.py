"""Temperature, the share α of distillation and the feature weight around 3, 0.3 and 0.0001."""

from optuna.distributions import FloatDistribution

SPACE = {
    "temperature": FloatDistribution(0.5, 16.0, log=True),
    "alpha": FloatDistribution(0.05, 0.95),
    "lambda_f": FloatDistribution(1e-6, 1e-2, log=True),
}
