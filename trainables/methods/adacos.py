"""Cross-entropy over scaled cosines, with an adaptive scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from trainables.errors import ConfigError
from trainables.interfaces import LossTerms, Method, View
from trainables.losses.adacos import initial_scale, next_scale
from trainables.losses.cross_entropy import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from trainables.interfaces import Batch, Forward, Outputs


class Adacos(Method):
    r"""Cross-entropy over cosines between features and class weights, times an adaptive scale (AdaCos).

    * Paper: Zhang et al., AdaCos: Adaptively scaling cosine logits for effectively learning deep face representations,
      CVPR 2019, equations 12 to 15; without margin.
    * Loss: :math:`CE(s \cos, y)`. The scale :math:`s` starts at :math:`\sqrt 2 \ln(C - 1)`. The dynamic scale is
      recomputed from each training batch before the loss, without gradient; evaluation does not change it.
    * Hyperparameters: none to search. The public code evaluates unscaled cosines, and so, it seems, does table 6 of the
      CS-KD paper, where AdaCos has a calibration error of 54 to 74 %. The logits that ``eval_scale`` does not select
      are evaluated as readout ``unscaled`` or ``scaled``.
    * Cost: that of cross-entropy. The method replaces the model's last layer by one without bias.

    Attributes:
        scale: Kind of the scale. ``dynamic``: recomputed at each training step; ``fixed``: the initial scale.
        eval_scale: Logits of the evaluation. ``current``: cosines times the scale, as in training; ``none``: cosines.
    """

    scale: Literal["dynamic", "fixed"] = "dynamic"
    eval_scale: Literal["current", "none"] = "current"

    def views(self) -> tuple[View, ...]:
        """Augmented anchors."""
        return (View("anchor"),)

    def head(self, width: int, num_classes: int) -> nn.Module:
        """Linear layer on normalised features and weights, without bias.

        Raises:
            ConfigError: There are fewer than three classes; with two the initial scale would be 0.
        """
        from trainables.models.layers.cosine_head import CosineHead

        if num_classes < 3:
            raise ConfigError("adacos needs at least three classes: with two its scale would be 0")
        return CosineHead(width, num_classes, initial_scale(num_classes), scaled=self.eval_scale == "current")

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:  # noqa: ARG002
        """Loss with the parts ``ce``, which is the total, and ``scale``, the scale of the step."""
        cosines = forward.student(batch.views["anchor"]).logits
        scale: Tensor = forward.classifier.scale  # type: ignore[assignment]
        if self.scale == "dynamic":
            scale.copy_(next_scale(cosines, batch.labels, scale))
        logits = scale * cosines
        ce = cross_entropy(logits, batch.labels)
        return LossTerms(ce, {"ce": ce, "scale": scale}, logits)

    def readouts(self, outputs: Outputs, classifier: nn.Module) -> Mapping[str, Tensor]:
        """Logits that ``eval_scale`` does not select, as ``unscaled`` or ``scaled``."""
        cosines = classifier.cosines(outputs.features)  # type: ignore[operator]
        return {"unscaled": cosines} if self.eval_scale == "current" else {"scaled": classifier.scale * cosines}
