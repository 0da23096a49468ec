import math

import numpy as np
import pytest
import torch

from trainables.losses.entropy import mean_entropy


def test_matches_the_formula_and_its_gradient():
    values = np.random.default_rng(0).normal(0, 3, (6, 5))
    logits = torch.tensor(values, requires_grad=True)
    entropy = mean_entropy(logits)
    entropy.backward()
    p = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
    each = -(p * np.log(p)).sum(axis=1, keepdims=True)
    assert entropy.item() == pytest.approx(each.mean(), rel=1e-12)
    np.testing.assert_allclose(logits.grad, -p * (np.log(p) + each) / 6, atol=1e-12)


def test_is_summed_over_classes_and_averaged_over_the_batch():
    assert mean_entropy(torch.zeros(3, 100)).item() == pytest.approx(math.log(100))


def test_a_certain_prediction_has_no_entropy():
    assert mean_entropy(torch.tensor([[1000.0, 0.0]])).item() == 0


def test_half_precision_is_computed_in_float32():
    assert mean_entropy(torch.zeros(2, 3, dtype=torch.bfloat16)).dtype is torch.float32


def test_permuting_samples_does_not_change_the_loss():
    logits = torch.randn(6, 4)
    torch.testing.assert_close(mean_entropy(logits), mean_entropy(logits[torch.randperm(6)]))
