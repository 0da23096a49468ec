"""Controls for CS-KD: how much of its effect remains if the partner is not of the anchor's class?

Four custom methods; a study file names each by its path, such as ``method: partner_controls:ShuffledPartner``.
"""

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.softened_kl import softened_kl
from trainables.methods.cs_kd import CsKd


class ShuffledPartner(CsKd):
    """CS-KD with the partner of another anchor of the batch, mostly of another class: smoothing, not class-wise."""

    def loss_terms(self, forward, batch, values) -> LossTerms:
        """Terms ``ce`` and ``cls`` of CS-KD, with the partners shifted by one row."""
        logits = forward.student(batch.views["anchor"]).logits
        ce = cross_entropy(logits, batch.labels)
        partner = forward.teacher(batch.views["partner"]).logits.roll(1, 0)
        cls = softened_kl(logits, partner, values["temperature"])
        return LossTerms(ce + values["lambda_cls"] * cls, {"ce": ce, "cls": cls}, logits)


class SelfPartner(CsKd):
    """CS-KD whose partner is the anchor itself with another augmentation: the sample-wise limit."""

    def views(self) -> tuple[View, ...]:
        """The anchors with two random augmentations."""
        return (View("anchor"), View("partner", "anchor"))


class EvaluatedPartner(CsKd):
    """CS-KD with the partner in evaluation mode: what is the effect of batch statistics in its soft target?"""

    def loss_terms(self, forward, batch, values) -> LossTerms:
        """Terms ``ce`` and ``cls`` of CS-KD, with the partners' logits from batch norm's running statistics."""
        logits = forward.student(batch.views["anchor"]).logits
        ce = cross_entropy(logits, batch.labels)
        partner = forward.evaluated(batch.views["partner"]).logits
        cls = softened_kl(logits, partner, values["temperature"])
        return LossTerms(ce + values["lambda_cls"] * cls, {"ce": ce, "cls": cls}, logits)


class TwoForwards(Method):
    """Cross-entropy on anchors and partners: the effect of CS-KD's second images as plain training images."""

    def views(self) -> tuple[View, ...]:
        """Augmented anchors and partners, as in CS-KD."""
        return (View("anchor"), View("partner", "partner"))

    def loss_terms(self, forward, batch, values) -> LossTerms:
        """Term ``ce``, the mean over both views."""
        del values
        anchor = forward.student(batch.views["anchor"]).logits
        partner = forward.student(batch.views["partner"]).logits
        ce = (cross_entropy(anchor, batch.labels) + cross_entropy(partner, batch.labels)) / 2
        return LossTerms(ce, {"ce": ce}, anchor)
