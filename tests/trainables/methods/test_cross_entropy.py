import torch

from trainables.interfaces import Batch, View
from trainables.methods.cross_entropy import CrossEntropy


def test_the_loss_equals_that_of_torch(logits_forward):
    logits, labels = torch.randn(6, 4), torch.arange(6) % 4
    terms = CrossEntropy().loss_terms(logits_forward, Batch({"anchor": logits}, labels), {})
    torch.testing.assert_close(terms.total, torch.nn.functional.cross_entropy(logits, labels))
    assert terms.parts.keys() == {"ce"}
    assert terms.logits is logits


def test_needs_one_forward_pass_of_the_anchors(logits_forward):
    CrossEntropy().loss_terms(logits_forward, Batch({"anchor": torch.zeros(2, 3)}, torch.tensor([0, 1])), {})
    assert [kind for kind, _ in logits_forward.calls] == ["student"]
    assert CrossEntropy().views() == (View("anchor", "anchor", augmented=True),)
