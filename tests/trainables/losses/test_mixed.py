import numpy as np
import pytest
import torch

from trainables.interfaces import Mixing
from trainables.losses.mixed import mixed, mixed_cross_entropy

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_matches_golden(golden, dtype, tolerance):
    for case in golden["mixup_cs_kd"]["cases"]:
        mixing = Mixing(torch.tensor(case["lam"], dtype=dtype), torch.tensor(case["permutation"]))
        for name in ("x", "x_partner"):
            found = mixed(torch.tensor(case[name], dtype=dtype), mixing)
            np.testing.assert_allclose(found, case[f"{name}_mix"], rtol=tolerance, atol=tolerance)
        labels = torch.tensor(case["y_a"])
        assert labels[mixing.order].tolist() == case["y_b"]
        loss = mixed_cross_entropy(torch.tensor(case["logits_mix"], dtype=dtype), labels, mixing)
        assert loss.item() == pytest.approx(case["ce_mix"], rel=tolerance)


def test_equals_cross_entropy_with_soft_labels():
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 4), torch.arange(6) % 4
    mixing = Mixing(torch.tensor(0.3), torch.randperm(6))
    one_hot = torch.nn.functional.one_hot(labels).float()
    expected = torch.nn.functional.cross_entropy(logits, mixed(one_hot, mixing))
    torch.testing.assert_close(mixed_cross_entropy(logits, labels, mixing), expected)


def test_a_share_of_one_changes_nothing():
    values = torch.randn(4, 3, 2, 2)
    assert torch.equal(mixed(values, Mixing(torch.tensor(1.0), torch.tensor([3, 2, 1, 0]))), values)
