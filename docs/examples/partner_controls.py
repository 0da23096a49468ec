"""Controls that take CS-KD apart: what is left of its effect when the partner is not of the anchor's class?

Four methods of one's own, each used in a study file by its path, such as ``method: partner_controls:ShuffledPartner``.
"""

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.softened_kl import softened_kl
from trainables.methods.cs_kd import CsKd


class ShuffledPartner(CsKd):
    """CS-KD with the partner of the next anchor of the batch, mostly of another class: smoothing, not class-wise."""

    def loss_terms(self, forward, batch, values) -> LossTerms:
        """Parts ``ce`` and ``cls`` as of CS-KD, with the partners moved on by one place."""
        logits = forward.student(batch.views["anchor"]).logits
        ce = cross_entropy(logits, batch.labels)
        partner = forward.teacher(batch.views["partner"]).logits.roll(1, 0)
        cls = softened_kl(logits, partner, values["temperature"])
        return LossTerms(ce + values["lambda_cls"] * cls, {"ce": ce, "cls": cls}, logits)


class SelfPartner(CsKd):
    """CS-KD whose partner is the anchor itself under another augmentation: the sample-wise limit."""

    def views(self) -> tuple[View, ...]:
        """The anchors under two draws of the augmentation."""
        return (View("anchor"), View("partner", "anchor"))


class EvaluatedPartner(CsKd):
    """CS-KD whose partner is seen in evaluation mode: what does the noise of batch statistics in its soft target do?"""

    def loss_terms(self, forward, batch, values) -> LossTerms:
        """Parts ``ce`` and ``cls`` as of CS-KD, the partners' logits by batch norm's running statistics."""
        logits = forward.student(batch.views["anchor"]).logits
        ce = cross_entropy(logits, batch.labels)
        partner = forward.evaluated(batch.views["partner"]).logits
        cls = softened_kl(logits, partner, values["temperature"])
        return LossTerms(ce + values["lambda_cls"] * cls, {"ce": ce, "cls": cls}, logits)


class TwoForwards(Method):
    """Cross-entropy on anchors and partners: what CS-KD's second images are worth as plain training images."""

    def views(self) -> tuple[View, ...]:
        """Augmented anchors and partners, as CS-KD sees them."""
        return (View("anchor"), View("partner", "partner"))

    def loss_terms(self, forward, batch, values) -> LossTerms:
        """Part ``ce``, the mean over both views."""
        del values
        anchor = forward.student(batch.views["anchor"]).logits
        partner = forward.student(batch.views["partner"]).logits
        ce = (cross_entropy(anchor, batch.labels) + cross_entropy(partner, batch.labels)) / 2
        return LossTerms(ce, {"ce": ce}, anchor)
