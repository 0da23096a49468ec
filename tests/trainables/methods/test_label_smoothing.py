import pytest
import torch
from pydantic import ValidationError

from trainables.interfaces import Batch
from trainables.methods.label_smoothing import LabelSmoothing


def test_the_loss_equals_that_of_torch(logits_forward, as_values):
    logits, labels = torch.randn(6, 4, dtype=torch.float64), torch.arange(6) % 4
    batch = Batch({"anchor": logits}, labels)
    terms = LabelSmoothing(epsilon=0.2).loss_terms(logits_forward, batch, as_values({"epsilon": 0.2}))
    torch.testing.assert_close(terms.total, torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.2))
    assert terms.logits is logits


def test_the_strength_comes_from_the_values(logits_forward, as_values):
    batch = Batch({"anchor": torch.randn(6, 4, dtype=torch.float64)}, torch.arange(6) % 4)
    weak, strong = (
        LabelSmoothing().loss_terms(logits_forward, batch, as_values({"epsilon": epsilon})).total
        for epsilon in (0.1, 0.5)
    )
    assert not torch.isclose(weak, strong)


@pytest.mark.parametrize("epsilon", [-0.1, 1.0, float("nan")])
def test_strength_out_of_range_is_refused(epsilon):
    with pytest.raises(ValidationError, match="epsilon"):
        LabelSmoothing(epsilon=epsilon)
