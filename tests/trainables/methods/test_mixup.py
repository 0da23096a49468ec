import pytest
import torch

from trainables.interfaces import Batch, Mixing, Outputs
from trainables.methods.mixup import Mixup

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


class Answers:
    """Imitates a network: returns given logits for any images."""

    def __init__(self, logits):
        self.logits = logits

    def student(self, images):
        return Outputs(self.logits, images)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_trains_on_the_mixture_and_its_labels(golden, dtype, tolerance):
    for case in golden["mixup_cs_kd"]["cases"]:
        mixing = Mixing(torch.tensor(case["lam"], dtype=dtype), torch.tensor(case["permutation"]))
        logits = torch.tensor(case["logits_mix"], dtype=dtype)
        batch = Batch({"anchor": torch.zeros(4, 3, dtype=dtype)}, torch.tensor(case["y_a"]), mixing)
        terms = Mixup().loss_terms(Answers(logits), batch, {})
        assert terms.total.item() == pytest.approx(case["ce_mix"], rel=tolerance)
        assert terms.logits is None


def test_the_network_sees_the_mixture(logits_forward):
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    mixing = Mixing(torch.tensor(0.75), torch.tensor([1, 0]))
    Mixup().loss_terms(logits_forward, Batch({"anchor": images}, torch.tensor([0, 1]), mixing), {})
    ((kind, seen),) = logits_forward.calls
    assert kind == "student"
    torch.testing.assert_close(seen, torch.tensor([[0.75, 0.25], [0.25, 0.75]]))


def test_declares_its_mixing():
    assert Mixup(alpha=0.2).mixing_alpha() == 0.2
