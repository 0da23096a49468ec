"""The ranges of mixup and CS-KD combined."""

from optuna.distributions import FloatDistribution

SPACE = {
    "alpha": FloatDistribution(0.1, 2.0, log=True),
    "temperature": FloatDistribution(0.5, 16.0, log=True),
    "lambda_cls": FloatDistribution(0.1, 8.0, log=True),
}
