"""CS-KD whose soft target comes from averaged weights: does a slower teacher help the class-wise term?

A custom method; a study file names it by its path: ``method: averaged_teacher:AveragedTeacher``.
"""

from pydantic import Field

from trainables.interfaces import LossTerms
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.softened_kl import softened_kl
from trainables.methods.cs_kd import CsKd


class AveragedTeacher(CsKd):
    """CS-KD with an EMA teacher for the partner, and a class-wise weight that rises at the start of the run.

    ``decay`` is the decay of the averaged weights per step. ``warm_up`` is the fraction of the epochs over which
    ``lambda_cls`` rises linearly from 0; 0 disables the warm-up. There is no sample-wise term.
    """

    decay: float = Field(default=0.9, ge=0, lt=1)
    warm_up: float = Field(default=0.1, ge=0, le=1)
    lambda_e: float = Field(default=0.0, ge=0, le=0)

    def averaging(self) -> str:
        """Name of the field with the decay of the averaged weights."""
        return "decay"

    def loss_terms(self, forward, batch, values) -> LossTerms:
        """Terms ``ce`` and ``cls`` of CS-KD, with the partners' logits from the averaged weights."""
        logits = forward.student(batch.views["anchor"]).logits
        ce = cross_entropy(logits, batch.labels)
        partner = forward.averaged(batch.views["partner"]).logits
        cls = softened_kl(logits, partner, values["temperature"])
        weight = values["lambda_cls"]
        if self.warm_up > 0:
            weight = weight * (values["progress"] / values["warm_up"]).clamp(max=1)
        return LossTerms(ce + weight * cls, {"ce": ce, "cls": cls}, logits)
