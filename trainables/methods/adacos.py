"""Cross-entropy over scaled cosines, with a scale that sets itself."""

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
    r"""Compares directions: logits are cosines between features and class weights, times a scale.

    * Paper: Zhang et al., AdaCos, CVPR 2019, equations 12 to 15; without margin, which they do not use.
    * Loss: :math:`CE(s \cos, y)`. The scale starts at :math:`\sqrt 2 \ln(C - 1)`; ``dynamic``, it is computed anew from
      each batch before the loss, without gradient, and stays what it is in evaluation.
    * Hyperparameters: none to tune. ``eval_scale`` says what evaluation measures: ``current``, the scaled cosines the
      network was trained with, or ``none``, the cosines, as the public code does and, it seems, table 6 of the CS-KD
      paper, where it looks badly calibrated. The other one is measured, too, as ``unscaled`` or ``scaled``.
    * Cost: that of cross-entropy. The head replaces the model's last layer and has no bias.
    """

    scale: Literal["dynamic", "fixed"] = "dynamic"
    eval_scale: Literal["current", "none"] = "current"

    def views(self) -> tuple[View, ...]:
        """The augmented anchors."""
        return (View("anchor"),)

    def head(self, width: int, num_classes: int) -> nn.Module:
        """Cosines of the features with the class weights.

        Raises:
            ConfigError: There are two classes, for which the scale would start at 0.
        """
        from trainables.models.layers.cosine_head import CosineHead

        if num_classes < 3:
            raise ConfigError("adacos needs at least three classes: with two its scale would be 0")
        return CosineHead(width, num_classes, initial_scale(num_classes), scaled=self.eval_scale == "current")

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:  # noqa: ARG002
        """Parts ``ce``, which is the whole loss, and ``scale``, that of the step."""
        cosines = forward.student(batch.views["anchor"]).logits
        scale: Tensor = forward.classifier.scale  # type: ignore[assignment]
        if self.scale == "dynamic":
            scale.copy_(next_scale(cosines, batch.labels, scale))
        logits = scale * cosines
        ce = cross_entropy(logits, batch.labels)
        return LossTerms(ce, {"ce": ce, "scale": scale}, logits)

    def readouts(self, outputs: Outputs, classifier: nn.Module) -> Mapping[str, Tensor]:
        """The logits that ``eval_scale`` leaves out."""
        cosines = classifier.cosines(outputs.features)  # type: ignore[operator]
        return {"unscaled": cosines} if self.eval_scale == "current" else {"scaled": classifier.scale * cosines}
