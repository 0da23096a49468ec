import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from trainables.interfaces import Batch, View
from trainables.methods.cs_kd import CsKd
from trainables.training.network import Network

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


def batch_of(labels, dtype=torch.float64, **views):
    tensors = {name: torch.tensor(values, dtype=dtype) for name, values in views.items()}
    tensors["anchor"].requires_grad_()
    return Batch(tensors, torch.tensor(labels))


def terms_of(forward, batch, as_values, **options):
    method = CsKd(**options)
    values = as_values({name: getattr(method, name) for name in ("temperature", "lambda_cls", "lambda_e")})
    terms = method.loss_terms(forward, batch, values)
    terms.total.backward()
    return terms


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_matches_golden(golden, logits_forward, as_values, dtype, tolerance):
    for case in golden["cs_kd_total"]["cases"]:
        batch = batch_of(case["targets"], dtype, anchor=case["logits"], partner=case["partner_logits"])
        options = {name: case[name] for name in ("temperature", "lambda_cls")}
        terms = terms_of(logits_forward, batch, as_values, **options)
        assert terms.total.item() == pytest.approx(case["total"], rel=tolerance, abs=tolerance)
        assert terms.parts.keys() == {"ce", "cls"}
        for name, part in terms.parts.items():
            assert part.item() == pytest.approx(case[name], rel=tolerance, abs=tolerance)
        gradient = batch.views["anchor"].grad
        np.testing.assert_allclose(gradient, case["grad_logits"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_with_the_sample_wise_term_matches_golden(golden, logits_forward, as_values, dtype, tolerance):
    for case in golden["cs_kd_e_total"]["cases"]:
        views = {"anchor": "aug_logits", "partner": "partner_aug_logits", "plain": "plain_logits"}
        batch = batch_of(case["targets"], dtype, **{view: case[key] for view, key in views.items()})
        options = {name: case[name] for name in ("temperature", "lambda_cls", "lambda_e")}
        terms = terms_of(logits_forward, batch, as_values, **options)
        assert terms.total.item() == pytest.approx(case["total"], rel=tolerance, abs=tolerance)
        assert terms.parts["sample"].item() == pytest.approx(case["sample_wise"], rel=tolerance, abs=tolerance)
        gradient = batch.views["anchor"].grad
        np.testing.assert_allclose(gradient, case["grad_aug_logits"], rtol=tolerance, atol=tolerance)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_gradient_has_the_closed_form(logits_forward, as_values, temperature):
    rng = np.random.default_rng(0)
    anchor, partner, plain = rng.normal(0, 3, (3, 8, 5))
    labels = rng.integers(0, 5, 8)
    batch = batch_of(labels, anchor=anchor, partner=partner, plain=plain)
    terms_of(logits_forward, batch, as_values, temperature=temperature, lambda_cls=2.0, lambda_e=0.5)
    soft = [softmax(logits / temperature) for logits in (anchor, partner, plain)]
    distilled = temperature * (2.0 * (soft[0] - soft[1]) + 0.5 * (soft[0] - soft[2]))
    expected = (softmax(anchor) - np.eye(5)[labels] + distilled) / 8
    np.testing.assert_allclose(batch.views["anchor"].grad, expected, atol=1e-12)


def test_permuting_pairs_does_not_change_the_loss(logits_forward, as_values):
    rng = np.random.default_rng(0)
    anchor, partner, labels, order = *rng.normal(size=(2, 8, 5)), rng.integers(0, 5, 8), rng.permutation(8)
    totals = [
        terms_of(logits_forward, batch_of(labels[index], anchor=anchor[index], partner=partner[index]), as_values).total
        for index in (np.arange(8), order)
    ]
    torch.testing.assert_close(*totals)


def test_no_gradient_reaches_the_teachers(logits_forward, as_values):
    batch = batch_of([0, 1], anchor=[[1.0, 2.0]] * 2, partner=[[0.0, 1.0]] * 2, plain=[[3.0, 1.0]] * 2)
    for name in ("partner", "plain"):
        batch.views[name].requires_grad_()
    terms_of(logits_forward, batch, as_values, lambda_e=1.0)
    assert batch.views["anchor"].grad is not None
    assert batch.views["partner"].grad is None
    assert batch.views["plain"].grad is None


def test_the_student_comes_first_then_partner_then_plain(logits_forward, as_values):
    batch = batch_of([0, 1], anchor=[[1.0, 2.0]] * 2, partner=[[0.0, 1.0]] * 2, plain=[[3.0, 1.0]] * 2)
    terms_of(logits_forward, batch, as_values, lambda_e=1.0)
    assert [kind for kind, _ in logits_forward.calls] == ["student", "teacher", "teacher"]
    for (_, images), view in zip(logits_forward.calls, ("anchor", "partner", "plain"), strict=True):
        assert images is batch.views[view]


def test_views_follow_the_options():
    anchor, partner = View("anchor"), View("partner", "partner")
    assert CsKd().views() == (anchor, partner)
    assert CsKd(lambda_e=0.5).views() == (anchor, partner, View("plain", "anchor", augmented=False))
    assert CsKd(partner_may_equal_anchor=False).views() == (anchor, View("partner", "other_partner"))


def test_with_weight_0_the_gradient_equals_that_of_cross_entropy(logits_forward, as_values):
    anchor = np.array([[1.0, 2.0], [0.5, 0.0]])
    batch = batch_of([0, 1], anchor=anchor, partner=[[3.0, 1.0]] * 2)
    terms = terms_of(logits_forward, batch, as_values, lambda_cls=0.0)
    np.testing.assert_allclose(batch.views["anchor"].grad, (softmax(anchor) - np.eye(2)) / 2, atol=1e-15)
    assert terms.parts["cls"].item() > 0  # it is reported nevertheless


@pytest.mark.parametrize("option", [{"temperature": 0.0}, {"lambda_cls": -1.0}, {"lambda_e": -1.0}])
def test_values_out_of_range_are_refused(option):
    with pytest.raises(ValidationError, match=next(iter(option))):
        CsKd(**option)


class NormalisedChannel(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.classifier = nn.Linear(1, 2)

    def features(self, images):
        return self.norm(images).flatten(1)


def test_batch_norm_is_updated_by_each_pass_in_order(golden, as_values):
    case = golden["batchnorm_two_forwards"]["cases"][0]
    model = NormalisedChannel().train()
    images = {
        name: torch.tensor(case[f"{key}_channel_values"]).reshape(-1, 1, 1, 1)
        for name, key in (("anchor", "student"), ("partner", "partner"))
    }
    values = as_values({"temperature": 4.0, "lambda_cls": 1.0})
    network = Network(model, torch.device("cpu"), torch.float32)
    CsKd().loss_terms(network, Batch(images, torch.zeros(6, dtype=torch.int64)), values)
    assert model.norm.running_mean.item() == pytest.approx(case["running_mean"], abs=2e-5)
    assert model.norm.running_var.item() == pytest.approx(case["running_var"], abs=2e-5)
    assert model.norm.num_batches_tracked.item() == case["num_batches_tracked"]
