"""Temperature and λ_cls on logarithmic ranges around the paper's grid {1, 4} × {1, 2, 3, 4} (section 3.1).

Below T = 0.5 the softened target is sharper than the prediction and the term's gradient vanishes for confident
networks; above T ≈ 4 only λ_cls matters, so 16 is far into the plateau. λ_E is searched when a study names it.
"""

from optuna.distributions import FloatDistribution

SPACE = {
    "temperature": FloatDistribution(0.5, 16.0, log=True),
    "lambda_cls": FloatDistribution(0.1, 8.0, log=True),
}
