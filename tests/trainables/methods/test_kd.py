import pytest
import torch

from trainables.interfaces import Batch, Teacher, View
from trainables.losses.softened_kl import softened_kl
from trainables.methods.kd import Kd

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


def case_of(golden):
    return next(case for case in golden["baselines"]["cases"] if case["id"] == "pub_kd_plus_cskd")


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_matches_golden(golden, logits_forward, as_values, dtype, tolerance):
    case = case_of(golden)
    logits_forward.pretrained_logits = torch.tensor(case["teacher_logits"], dtype=dtype)
    batch = Batch({"anchor": torch.tensor(case["student_logits"], dtype=dtype)}, torch.tensor(case["targets"]))
    values = as_values({"temperature": case["temperature"], "lambda_kd": case["lambda_kd"], "alpha": 0.9})
    terms = Kd().loss_terms(logits_forward, batch, values)
    assert terms.parts["ce"].item() == pytest.approx(case["ce"], rel=tolerance)
    assert terms.parts["kd"].item() == pytest.approx(case["kd"], rel=tolerance)
    assert terms.total.item() == pytest.approx(case["ce"] + case["kd"], rel=tolerance)
    convex = Kd(alpha=0.9).loss_terms(logits_forward, batch, values).total.item()
    assert convex == pytest.approx(0.1 * case["ce"] + 0.9 * case["kd"], rel=tolerance)


def test_the_teacher_sees_the_augmented_anchor_and_gets_no_gradient(logits_forward, as_values):
    torch.manual_seed(0)
    anchor, teacher = (torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    logits_forward.pretrained_logits = teacher
    values = as_values({"temperature": 2.0, "lambda_kd": 1.0, "alpha": 0.9})
    terms = Kd().loss_terms(logits_forward, Batch({"anchor": anchor}, torch.arange(4) % 3), values)
    terms.total.backward()
    assert teacher.grad is None
    assert [kind for kind, images in logits_forward.calls if images is anchor] == ["student", "pretrained"]
    torch.testing.assert_close(terms.parts["kd"], softened_kl(anchor, teacher, 2.0))


def test_declares_its_teacher():
    assert Kd(teacher={"seed": 3, "study": "x"}).pretrained().seed == 3
    assert Kd().pretrained() == Teacher()
    assert Kd().views() == (View("anchor"),)
