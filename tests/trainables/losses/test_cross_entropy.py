import numpy as np
import pytest
import torch

from trainables.losses.cross_entropy import cross_entropy


def smoothed_targets(labels, classes, smoothing):
    return (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 2e-5)])
def test_smoothing_matches_golden(golden, dtype, tolerance):
    case = next(case for case in golden["baselines"]["cases"] if case["id"] == "pub_label_smoothing")
    logits = torch.tensor(case["logits"], dtype=dtype)
    loss = cross_entropy(logits, torch.tensor(case["targets"]), case["epsilon"])
    assert loss.item() == pytest.approx(case["loss"], rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_matches_the_formula_and_its_gradient(smoothing):
    rng = np.random.default_rng(0)
    values, labels = rng.normal(0, 4, (7, 5)), rng.integers(0, 5, 7)
    logits = torch.tensor(values, requires_grad=True)
    loss = cross_entropy(logits, torch.tensor(labels), smoothing)
    loss.backward()
    targets, p = smoothed_targets(labels, 5, smoothing), softmax(values)
    assert loss.item() == pytest.approx(-(targets * np.log(p)).sum(axis=1).mean(), rel=1e-12)
    np.testing.assert_allclose(logits.grad, (p - targets) / 7, atol=1e-12)


def test_permuting_samples_does_not_change_the_loss():
    logits, labels, order = torch.randn(6, 4), torch.arange(6) % 4, torch.randperm(6)
    torch.testing.assert_close(cross_entropy(logits, labels, 0.1), cross_entropy(logits[order], labels[order], 0.1))


def test_a_tensor_smoothing_equals_a_number():
    logits, labels = torch.randn(6, 4), torch.arange(6) % 4
    for smoothing in (0.0, 0.3):
        as_tensor = cross_entropy(logits, labels, torch.tensor(smoothing))
        torch.testing.assert_close(as_tensor, cross_entropy(logits, labels, smoothing))


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(half):
    loss = cross_entropy(torch.tensor([[500.0, -500.0]], dtype=half), torch.tensor([1]))
    assert loss.dtype is torch.float32
    assert loss.item() == 1000.0
