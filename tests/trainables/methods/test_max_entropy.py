import numpy as np
import pytest
import torch

from trainables.interfaces import Batch, View
from trainables.methods.max_entropy import MaxEntropy

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_matches_golden(golden, logits_forward, as_values, dtype, tolerance):
    case = next(case for case in golden["baselines"]["cases"] if case["id"] == "pub_max_entropy")
    logits = torch.tensor(case["logits"], dtype=dtype, requires_grad=True)
    batch = Batch({"anchor": logits}, torch.tensor(case["targets"]))
    terms = MaxEntropy(beta=case["beta"]).loss_terms(logits_forward, batch, as_values({"beta": case["beta"]}))
    terms.total.backward()
    assert terms.total.item() == pytest.approx(case["loss"], rel=tolerance)
    assert terms.parts["ce"].item() == pytest.approx(case["ce"], rel=tolerance)
    assert terms.parts["entropy"].item() == pytest.approx(case["mean_entropy"], rel=tolerance)
    np.testing.assert_allclose(logits.grad, case["grad_logits"], rtol=tolerance, atol=tolerance)


def test_needs_the_anchors_only():
    assert MaxEntropy().views() == (View("anchor"),)
    assert MaxEntropy().beta == 1.0
