import pytest
import torch

from trainables.interfaces import Batch, View
from trainables.methods.kd_cs_kd import KdCsKd

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_matches_golden(golden, logits_forward, as_values, dtype, tolerance):
    case = next(case for case in golden["baselines"]["cases"] if case["id"] == "pub_kd_plus_cskd")
    student, teacher, partner = (
        torch.tensor(case[f"{name}_logits"], dtype=dtype, requires_grad=True)
        for name in ("student", "teacher", "partner")
    )
    logits_forward.pretrained_logits = teacher
    batch = Batch({"anchor": student, "partner": partner}, torch.tensor(case["targets"]))
    values = as_values({name: case[name] for name in ("temperature", "lambda_kd", "lambda_cls")} | {"alpha": 0.9})
    terms = KdCsKd().loss_terms(logits_forward, batch, values)
    terms.total.backward()
    expected = {name: case[name] for name in ("ce", "kd", "cls")}
    assert {name: part.item() for name, part in terms.parts.items()} == pytest.approx(expected, rel=tolerance)
    assert terms.total.item() == pytest.approx(case["total"], rel=tolerance)
    assert teacher.grad is None
    assert partner.grad is None
    convex = KdCsKd(alpha=0.9).loss_terms(logits_forward, batch, values).total.item()
    assert convex == pytest.approx(0.1 * case["ce"] + 0.9 * case["kd"] + case["cls"], rel=tolerance)


def test_views_follow_the_options():
    assert KdCsKd().views() == (View("anchor"), View("partner", "partner"))
    assert KdCsKd(partner_may_equal_anchor=False).views()[1] == View("partner", "other_partner")
