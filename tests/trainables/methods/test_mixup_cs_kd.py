import pytest
import torch

from trainables.interfaces import Batch, Mixing, Outputs, View
from trainables.methods.mixup_cs_kd import MixupCsKd

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


class Answers:
    """Imitates a network: returns given logits for anchors and partners, and stores the images."""

    def __init__(self, student, teacher):
        self.answers = {"student": student, "teacher": teacher}
        self.seen = {}

    def student(self, images):
        self.seen["student"] = images
        return Outputs(self.answers["student"], None)

    def teacher(self, images):
        self.seen["teacher"] = images
        return Outputs(self.answers["teacher"], None)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_matches_golden(golden, as_values, dtype, tolerance):
    for case in golden["mixup_cs_kd"]["cases"]:
        student, teacher, anchor, partner = (
            torch.tensor(case[name], dtype=dtype) for name in ("logits_mix", "logits_partner_mix", "x", "x_partner")
        )
        forward = Answers(student.requires_grad_(), teacher.requires_grad_())
        mixing = Mixing(torch.tensor(case["lam"], dtype=dtype), torch.tensor(case["permutation"]))
        batch = Batch({"anchor": anchor, "partner": partner}, torch.tensor(case["y_a"]), mixing)
        values = as_values({name: case[name] for name in ("temperature", "lambda_cls")})
        terms = MixupCsKd().loss_terms(forward, batch, values)
        assert terms.total.item() == pytest.approx(case["total"], rel=tolerance)
        assert terms.parts["ce"].item() == pytest.approx(case["ce_mix"], rel=tolerance)
        assert terms.parts["cls"].item() == pytest.approx(case["cls"], rel=tolerance)
        for name, key in (("student", "x_mix"), ("teacher", "x_partner_mix")):
            torch.testing.assert_close(forward.seen[name], torch.tensor(case[key], dtype=dtype))
        terms.total.backward()
        assert teacher.grad is None


def test_views_follow_the_options():
    assert MixupCsKd().views() == (View("anchor"), View("partner", "partner"))
    assert MixupCsKd(partner_may_equal_anchor=False).views()[1] == View("partner", "other_partner")
