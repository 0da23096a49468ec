import numpy as np
import pytest
import torch

from trainables.losses.softened_kl import softened_kl


def log_softmax(values):
    shifted = values - values.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def reference(student, teacher, temperature):
    log_p, log_q = log_softmax(student / temperature), log_softmax(teacher / temperature)
    return temperature**2 * (np.exp(log_q) * (log_q - log_p)).sum(axis=1).mean()


def loss_and_gradient(student, teacher, temperature, dtype=torch.float64):
    logits = torch.tensor(student, dtype=dtype, requires_grad=True)
    loss = softened_kl(logits, torch.tensor(teacher, dtype=dtype), temperature)
    loss.backward()
    return loss, logits.grad


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 2e-5)])
def test_matches_golden(golden, dtype, tolerance):
    for case in golden["kd_loss"]["cases"]:
        loss, gradient = loss_and_gradient(case["student_logits"], case["teacher_logits"], case["temperature"], dtype)
        assert loss.dtype is dtype
        assert loss.item() == pytest.approx(case["loss"], rel=tolerance, abs=tolerance), case["id"]
        np.testing.assert_allclose(gradient, case["grad_student"], rtol=tolerance, atol=tolerance, err_msg=case["id"])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 16.0])
def test_matches_the_formula_and_its_gradient(temperature):
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(0, 5, (2, 6, 9))
    loss, gradient = loss_and_gradient(student, teacher, temperature)
    assert loss.item() == pytest.approx(reference(student, teacher, temperature), rel=1e-12)
    p, q = np.exp(log_softmax(student / temperature)), np.exp(log_softmax(teacher / temperature))
    np.testing.assert_allclose(gradient, temperature / 6 * (p - q), atol=1e-12)


def test_permuting_pairs_does_not_change_the_loss():
    student, teacher = torch.randn(2, 8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(softened_kl(student, teacher, 4.0), softened_kl(student[order], teacher[order], 4.0))
    assert not torch.isclose(softened_kl(student, teacher, 4.0), softened_kl(student, teacher[order], 4.0))


def test_no_gradient_reaches_the_teacher():
    student, teacher = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    softened_kl(student, teacher, 2.0).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_the_gradient_can_flow_into_the_teacher():
    student, teacher = torch.randn(4, 3), torch.randn(4, 3, requires_grad=True)
    loss = softened_kl(student, teacher, 2.0, teacher_gradient=True)
    loss.backward()
    assert teacher.grad.abs().sum() > 0
    torch.testing.assert_close(loss, softened_kl(student, teacher, 2.0))


def test_a_tensor_temperature_equals_a_number_and_keeps_the_type():
    student, teacher = torch.randn(2, 4, 3)
    as_tensor = softened_kl(student, teacher, torch.tensor(3.0))
    torch.testing.assert_close(as_tensor, softened_kl(student, teacher, 3.0))
    assert softened_kl(student.double(), teacher.double(), torch.tensor(3.0)).dtype is torch.float64


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(half):
    student, teacher = torch.tensor([[120.0, 0.0, -120.0]]), torch.tensor([[-120.0, 0.0, 120.0]])
    loss = softened_kl(student.to(half), teacher.to(half), 1.0)
    assert loss.dtype is torch.float32
    torch.testing.assert_close(loss, softened_kl(student, teacher, 1.0))


def test_classes_that_the_teacher_excludes_add_nothing():
    teacher = torch.tensor([[0.0, 1.0, -torch.inf]], dtype=torch.float64)
    student = torch.tensor([[0.5, 0.0, 2.0]], dtype=torch.float64, requires_grad=True)
    loss = softened_kl(student, teacher, 1.0)
    loss.backward()
    q = np.exp([0.0, 1.0]) / np.exp([0.0, 1.0]).sum()
    log_p = log_softmax(student.detach().numpy())[0]
    assert loss.item() == pytest.approx((q * (np.log(q) - log_p[:2])).sum(), rel=1e-12)
    np.testing.assert_allclose(student.grad[0], np.exp(log_p) - [*q, 0.0], atol=1e-12)


def test_compiles_without_graph_breaks():
    student, teacher = torch.randn(2, 4, 3)
    compiled = torch.compile(softened_kl, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(student, teacher, torch.tensor(4.0)), softened_kl(student, teacher, 4.0))
