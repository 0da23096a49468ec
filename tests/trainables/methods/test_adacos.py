import numpy as np
import pytest
import torch
from torch import nn

from trainables.errors import ConfigError
from trainables.interfaces import Batch
from trainables.methods.adacos import Adacos
from trainables.training.network import Network

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


class Features(nn.Module):
    """A network whose features are its input."""

    def __init__(self, head):
        super().__init__()
        self.classifier = head

    def features(self, images):
        return images


def network_of(method, case, dtype):
    head = method.head(len(case["weight"][0]), len(case["weight"])).to(dtype)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(case["weight"], dtype=dtype))
    return Network(Features(head).train(), torch.device("cpu"), torch.float32)


def case_of(golden, case_id="pub_adacos_B6"):
    return next(case for case in golden["baselines"]["cases"] if case["id"] == case_id)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("case_id", ["pub_adacos_B6", "pub_adacos_B5"])
def test_matches_golden(golden, case_id, dtype, tolerance):
    case, method = case_of(golden, case_id), Adacos()
    network = network_of(method, case, dtype)
    features = torch.tensor(case["features"], dtype=dtype)
    scale = network.classifier.scale
    assert scale.item() == pytest.approx(case["scale_before"], rel=2e-7)  # it starts as float32
    scale.fill_(case["scale_before"])
    cosines = network.student(features).logits
    np.testing.assert_allclose(cosines.detach(), case["cosine_logits"], rtol=tolerance, atol=tolerance)
    terms = method.loss_terms(network, Batch({"anchor": features}, torch.tensor(case["targets"])), {})
    assert terms.total.item() == pytest.approx(case["loss"], rel=tolerance)
    assert scale.item() == pytest.approx(case["scale_after"], rel=tolerance)
    assert terms.parts["scale"].item() == scale.item()
    network.model.eval()
    outputs = network.student(features)
    scaled, unscaled = outputs.logits, method.readouts(outputs, network.classifier)["unscaled"]
    for logits, name in ((scaled, "scaled"), (unscaled, "unscaled")):
        confidence = logits.softmax(dim=1).amax(dim=1).mean().item()
        assert confidence == pytest.approx(case[f"mean_confidence_{name}"], rel=tolerance)


def test_the_fixed_scale_stays(golden):
    case, method = case_of(golden), Adacos(scale="fixed")
    network = network_of(method, case, torch.float32)
    batch = Batch({"anchor": torch.tensor(case["features"])}, torch.tensor(case["targets"]))
    terms = method.loss_terms(network, batch, {})
    assert terms.parts["scale"].item() == network.classifier.scale.item() == pytest.approx(case["scale_before"])


def test_evaluation_can_omit_the_scale_and_never_changes_it(golden):
    case, method = case_of(golden), Adacos(eval_scale="none")
    network = network_of(method, case, torch.float32)
    network.model.eval()
    before = network.classifier.scale.clone()
    outputs = network.student(torch.tensor(case["features"]))
    assert outputs.logits.abs().max() <= 1
    torch.testing.assert_close(method.readouts(outputs, network.classifier)["scaled"], before * outputs.logits)
    assert torch.equal(network.classifier.scale, before)


def test_two_classes_are_refused():
    with pytest.raises(ConfigError, match="at least three classes"):
        Adacos().head(4, 2)
