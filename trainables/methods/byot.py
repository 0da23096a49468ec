"""Be your own teacher: the deepest classifier teaches earlier ones."""

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
    r"""Gives the network exits after its first three stages and distils the deepest classifier into them.

    * Paper: Zhang et al., Be your own teacher, ICCV 2019, equations 2 to 5.
    * Loss: :math:`CE(z_4, y) + \sum_{i=1}^{3} [(1 - \alpha) CE(z_i, y) + \alpha KD_T(z_i, z_4) + \lambda_f \frac1n
      \sum \|F_i - F_4\|^2]`, the deepest logits and features being constants in the last two terms.
    * Hyperparameters: the paper prints none. Its authors' later code takes ``alpha`` 0.3 and ``temperature`` 3, without
      :math:`T^2` (``t_squared``), and leaves the feature term of the last exit out (``feature_at_last_exit``); a public
      re-implementation takes 0.1 and 3 and weights the deepest cross-entropy by :math:`1 - \alpha`, too
      (``weight_deepest``). ``lambda_f`` 0.0001 is about its feature weight in this reduction, sum over the width, mean
      over the batch.
    * Branches: three convolutions to the size of the last map, with one ``large`` kernel, or with ``strided`` ones of
      3x3; ``auto`` takes these for maps larger than 32. ``adapter`` puts a linear layer before the feature term, as the
      later code does; its attention modules are not here.
    * Cost: about 1.3 times cross-entropy. Tested is the deepest classifier; the exits and the mean of all logits are
      measured as ``exit1`` to ``exit3`` and ``ensemble``.
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
        """The augmented anchors."""
        return (View("anchor"),)

    def exits(self) -> tuple[int, ...]:
        """After each stage but the last."""
        return (1, 2, 3)

    def branch(
        self, shape: tuple[int, int, int], last: tuple[int, int, int], width: int, num_classes: int
    ) -> nn.Module:
        """A bottleneck to the size of the last map."""
        from trainables.models.layers.branch import Branch

        strided = self.branches == "strided" or (self.branches == "auto" and shape[1] > LARGEST_KERNEL_MAP)
        reduction = max(1, shape[1] // last[1])
        return Branch(shape[0], width, num_classes, reduction, strided=strided, adapter=self.adapter)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Parts ``ce`` (deepest) and, summed over the exits, ``ce_exits``, ``kd`` and ``feature``."""
        outputs = forward.student(batch.views["anchor"])
        ce, temperature = cross_entropy(outputs.logits, batch.labels), values["temperature"]
        ce_exits = sum_of(cross_entropy(out.logits, batch.labels) for out in outputs.exits)
        kd = sum_of(softened_kl(out.logits, outputs.logits, temperature) for out in outputs.exits)
        kd = kd if self.t_squared else kd / temperature**2
        hinted = outputs.exits if self.feature_at_last_exit else outputs.exits[:-1]
        feature = sum_of(mean_distance(out.features, outputs.features) for out in hinted)
        own = (1 - values["alpha"]) * ce if self.weight_deepest else ce
        total = own + (1 - values["alpha"]) * ce_exits + values["alpha"] * kd + values["lambda_f"] * feature
        parts = {"ce": ce, "ce_exits": ce_exits, "kd": kd, "feature": feature}
        return LossTerms(total, parts, outputs.logits)

    def readouts(self, outputs: Outputs, classifier: nn.Module) -> Mapping[str, Tensor]:  # noqa: ARG002
        """Logits of each exit, and the mean over exits and deepest."""
        exits = {f"exit{number}": out.logits for number, out in enumerate(outputs.exits, start=1)}
        return exits | {"ensemble": sum_of([outputs.logits, *exits.values()]) / (1 + len(exits))}


def sum_of(terms: Iterable[Tensor]) -> Tensor:
    """Sum of tensors, of which there is at least one."""
    return reduce(add, terms)
