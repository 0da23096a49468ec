import numpy as np
import pytest
import torch

from trainables.losses.feature_distance import distance_of_means, mean_distance


def test_the_distances_match_their_formulas():
    one, other = np.random.default_rng(0).normal(size=(2, 6, 5))
    tensors = torch.tensor(one), torch.tensor(other)
    assert distance_of_means(*tensors).item() == pytest.approx(((one.mean(0) - other.mean(0)) ** 2).sum(), rel=1e-12)
    assert mean_distance(*tensors).item() == pytest.approx(((one - other) ** 2).sum() / 6, rel=1e-12)


def test_the_order_within_a_batch_matters_only_for_pairs():
    one, other, order = torch.randn(6, 5), torch.randn(6, 5), torch.tensor([1, 2, 3, 4, 5, 0])
    torch.testing.assert_close(distance_of_means(one, other), distance_of_means(one[order], other))
    torch.testing.assert_close(mean_distance(one, other), mean_distance(one[order], other[order]))
    assert not torch.isclose(mean_distance(one, other), mean_distance(one[order], other))


def test_gradients_reach_both_means_and_no_target():
    one, other = torch.randn(3, 2, requires_grad=True), torch.randn(3, 2, requires_grad=True)
    mean_distance(one, other).backward()
    assert other.grad is None
    distance_of_means(one, other).backward()
    assert other.grad is not None


def test_half_precision_is_computed_in_float32():
    half = torch.full((2, 3), 300.0, dtype=torch.float16)
    assert distance_of_means(half, -half).item() == 3 * 600.0**2
    assert mean_distance(half, -half).item() == 3 * 600.0**2
