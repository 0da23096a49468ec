"""Be your own teacher: the deepest classifier teaches early exits."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.feature_distance import mean_distance
from trainables.losses.softened_kl import softened_kl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor, nn

    from trainables.interfaces import Batch, Forward, Outputs

LARGEST_KERNEL_MAP = 32


class Byot(Method):
    r"""Adds exits after the first three stages and distils the deepest classifier into them (BYOT).

    * Paper: Zhang et al., Be your own teacher: Improve the performance of convolutional neural networks via self
      distillation, ICCV 2019, equations 2 to 5.
    * Loss: :math:`CE(z_4, y) + \sum_{i=1}^{3} [(1 - \alpha) CE(z_i, y) + \alpha KD_T(z_i, z_4) + \lambda_f \frac1n
      \sum \|F_i - F_4\|^2]`, where :math:`z_i` and :math:`F_i` are logits and features of exit :math:`i`. The deepest
      logits :math:`z_4` and features :math:`F_4` are constants in the last two terms.
    * Hyperparameters: ``temperature`` > 0, ``alpha`` in [0, 1], ``lambda_f`` >= 0; the paper prints no values. The
      authors' later code uses ``alpha`` 0.3 and ``temperature`` 3 without :math:`T^2`, and no feature term at the last
      exit. A public re-implementation uses 0.1 and 3 and also weights the deepest cross-entropy by :math:`1 - \alpha`.
      ``lambda_f`` 0.0001 is about its feature weight, converted to a sum over the width and a mean over the batch.
    * Branches: three convolutions that reduce a map to the size of the last one. The attention modules of the authors'
      later code are not implemented.
    * Cost: about 1.3 times cross-entropy. The deepest classifier is evaluated; the exits and the mean of all logits are
      readouts ``exit1`` to ``exit3`` and ``ensemble``.

    Attributes:
        temperature: Temperature of the softened predictions.
        alpha: Weight of the distillation term at the exits; their cross-entropy has the weight 1 - alpha.
        lambda_f: Weight of the squared feature distance at the exits.
        t_squared: Whether the distillation term is multiplied by the squared temperature.
        weight_deepest: Whether the cross-entropy of the deepest classifier has the weight 1 - alpha instead of 1.
        feature_at_last_exit: Whether the last exit has a feature term.
        branches: Kind of the convolution that reduces a map. ``large``: one with a large kernel; ``strided``: several
            of 3x3 with stride 2; ``auto``: ``strided`` for maps larger than 32 pixels, else ``large``.
        adapter: Whether a linear layer precedes the feature term.
    """

    temperature: float = Field(default=3.0, gt=0)
    alpha: float = Field(default=0.3, ge=0, le=1)
    lambda_f: float = Field(default=1e-4, ge=0)
    t_squared: bool = True
    weight_deepest: bool = False
    feature_at_last_exit: bool = True
    branches: Literal["auto", "large", "strided"] = "auto"
    adapter: bool = False

    def views(self) -> tuple[View, ...]:
        """Augmented anchors."""
        return (View("anchor"),)

    def exits(self) -> tuple[int, ...]:
        """Stages 1, 2 and 3 of four."""
        return (1, 2, 3)

    def branch(
        self, shape: tuple[int, int, int], last: tuple[int, int, int], width: int, num_classes: int
    ) -> nn.Module:
        """Bottleneck that reduces a stage's map to the size of the last one, with a classifier."""
        from trainables.models.layers.branch import Branch

        strided = self.branches == "strided" or (self.branches == "auto" and shape[1] > LARGEST_KERNEL_MAP)
        reduction = max(1, shape[1] // last[1])
        return Branch(shape[0], width, num_classes, reduction, strided=strided, adapter=self.adapter)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Loss with the parts ``ce`` (deepest) and, summed over the exits, ``ce_exits``, ``kd`` and ``feature``."""
        outputs = forward.student(batch.views["anchor"])
        ce, temperature = cross_entropy(outputs.logits, batch.labels), values["temperature"]
        ce_exits = sum_of(cross_entropy(out.logits, batch.labels) for out in outputs.exits)
        kd = sum_of(softened_kl(out.logits, outputs.logits, temperature) for out in outputs.exits)
        kd = kd if self.t_squared else kd / temperature**2
        hinted = outputs.exits if self.feature_at_last_exit else outputs.exits[:-1]
        feature = sum_of(mean_distance(out.features, outputs.features) for out in hinted)
        deepest = (1 - values["alpha"]) * ce if self.weight_deepest else ce
        total = deepest + (1 - values["alpha"]) * ce_exits + values["alpha"] * kd + values["lambda_f"] * feature
        parts = {"ce": ce, "ce_exits": ce_exits, "kd": kd, "feature": feature}
        return LossTerms(total, parts, outputs.logits)

    def readouts(self, outputs: Outputs, classifier: nn.Module) -> Mapping[str, Tensor]:  # noqa: ARG002
        """Logits of each exit, and the mean of all logits."""
        exits = {f"exit{number}": out.logits for number, out in enumerate(outputs.exits, start=1)}
        return exits | {"ensemble": sum_of([outputs.logits, *exits.values()]) / (1 + len(exits))}


def sum_of(terms: Iterable[Tensor]) -> Tensor:
    """Sum of one or more tensors."""
    return reduce(add, terms)
