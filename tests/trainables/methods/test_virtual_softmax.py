import numpy as np
import pytest
import torch
from torch import nn

from trainables.interfaces import Batch
from trainables.methods.virtual_softmax import VirtualSoftmax
from trainables.training.network import Network

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


class Features(nn.Module):
    """A network whose features are its input."""

    def __init__(self, head):
        super().__init__()
        self.classifier = head

    def features(self, images):
        return images


def network_of(method, case, dtype=torch.float32):
    head = method.head(len(case["weight"][0]), len(case["weight"])).to(dtype)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(case["weight"], dtype=dtype))
    return Network(Features(head).train(), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_matches_golden(golden, dtype, tolerance):
    case = next(case for case in golden["baselines"]["cases"] if case["id"] == "pub_virtual_softmax")
    network = network_of(VirtualSoftmax(), case, dtype)
    features = torch.tensor(case["features"], dtype=dtype, requires_grad=True)
    terms = VirtualSoftmax().loss_terms(network, Batch({"anchor": features}, torch.tensor(case["targets"])), {})
    terms.total.backward()
    assert terms.total.item() == pytest.approx(case["loss"], rel=tolerance)
    for found, name in ((features.grad, "grad_features"), (network.classifier.weight.grad, "grad_weight")):
        np.testing.assert_allclose(found, case[name], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(terms.logits.detach(), case["inference_logits"], rtol=tolerance, atol=tolerance)


def test_the_head_has_no_bias():
    assert VirtualSoftmax().head(4, 3).bias is None


def test_the_virtual_logit_can_be_limited():
    case = {"weight": [[100.0, 0.0], [0.0, 100.0]]}
    batch = Batch({"anchor": torch.tensor([[1.0, 0.0]])}, torch.tensor([0]))
    losses = [
        method.loss_terms(network_of(method, case), batch, {}).total.item()
        for method in (VirtualSoftmax(), VirtualSoftmax(clip=True))
    ]
    assert losses == pytest.approx([np.log(2), 0.0], abs=1e-6)
