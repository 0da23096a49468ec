from types import SimpleNamespace

import pytest
import torch

from trainables.interfaces import Batch, View
from trainables.methods.ddgsd import Ddgsd

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


class Answers:
    """Imitates a network: returns given logits and features for the name of a view."""

    def __init__(self, **outputs):
        self.outputs = outputs

    def student(self, images):
        return self.outputs[images]


def setting(golden, dtype=torch.float64):
    case = next(case for case in golden["baselines"]["cases"] if case["id"] == "pub_ddgsd")
    outputs = {
        view: SimpleNamespace(
            logits=torch.tensor(case[f"logits_{letter}"], dtype=dtype, requires_grad=True),
            features=torch.tensor(case[f"features_{letter}"], dtype=dtype, requires_grad=True),
        )
        for view, letter in (("anchor", "a"), ("other", "b"))
    }
    batch = Batch({"anchor": "anchor", "other": "other"}, torch.tensor(case["targets"]))
    return case, Answers(**outputs), batch


def values_of(case, as_values):
    return as_values({name: case[name] for name in ("temperature", "lambda_kl", "mu")})


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_matches_golden(golden, as_values, dtype, tolerance):
    case, forward, batch = setting(golden, dtype)
    terms = Ddgsd().loss_terms(forward, batch, values_of(case, as_values))
    expected = {"ce": case["ce_sum"], "kl": case["kl_a"] + case["kl_b"], "mmd": case["mmd"]}
    assert {name: part.item() for name, part in terms.parts.items()} == pytest.approx(expected, rel=tolerance)
    assert terms.total.item() == pytest.approx(case["total"], rel=tolerance)


def test_the_published_values_are_the_defaults(golden):
    case, _, _ = setting(golden)
    assert {name: getattr(Ddgsd(), name) for name in ("temperature", "lambda_kl", "mu")} == {
        name: case[name] for name in ("temperature", "lambda_kl", "mu")
    }


def test_each_option_has_its_effect(golden, as_values):
    case, _, _ = setting(golden)
    gradients, totals = {}, {}
    for option in ("none", "average_ce", "target_gradient"):
        _, forward, batch = setting(golden)
        method = Ddgsd() if option == "none" else Ddgsd(**{option: True})
        terms = method.loss_terms(forward, batch, values_of(case, as_values))
        terms.total.backward()
        gradients[option] = forward.outputs["anchor"].logits.grad
        totals[option] = terms.total.item()
    assert totals["none"] - totals["average_ce"] == pytest.approx(case["ce_sum"] / 2)
    assert totals["target_gradient"] == totals["none"]
    assert not torch.allclose(gradients["target_gradient"], gradients["none"])


def test_a_joint_forward_pass_gives_the_same_terms(logits_forward, as_values):
    torch.manual_seed(0)
    batch = Batch({"anchor": torch.randn(6, 4), "other": torch.randn(6, 4)}, torch.arange(6) % 4)
    values = as_values({"temperature": 3.0, "lambda_kl": 1.0, "mu": 0.1})
    two, one = (Ddgsd(joint_forward=joint).loss_terms(logits_forward, batch, values).total for joint in (False, True))
    torch.testing.assert_close(two, one)
    assert [len(images) for _, images in logits_forward.calls] == [6, 6, 12]


def test_needs_two_augmentations_of_the_anchors():
    assert Ddgsd().views() == (View("anchor"), View("other"))
