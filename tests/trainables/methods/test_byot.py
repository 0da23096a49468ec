import pytest
import torch

from trainables.interfaces import Batch, Outputs
from trainables.methods.byot import Byot

DTYPES = [(torch.float64, 1e-8), (torch.float32, 2e-5)]


class Answers:
    def __init__(self, outputs):
        self.outputs = outputs

    def student(self, images):
        return self.outputs


def setting(golden, dtype=torch.float64):
    case = next(case for case in golden["baselines"]["cases"] if case["id"] == "pub_byot")
    *exits, deepest = (
        Outputs(*(torch.tensor(values, dtype=dtype, requires_grad=True) for values in pair))
        for pair in zip(case["branch_logits_shallow_to_deep"], case["branch_features_shallow_to_deep"], strict=True)
    )
    return case, Outputs(*deepest[:2], tuple(exits)), Batch({"anchor": None}, torch.tensor(case["targets"]))


def terms_of(golden, as_values, dtype=torch.float64, **options):
    case, outputs, batch = setting(golden, dtype)
    values = as_values({"temperature": 3.0, "alpha": 0.3, "lambda_f": case["lambda_feat"]})
    return case, outputs, Byot(**options).loss_terms(Answers(outputs), batch, values)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_matches_golden(golden, as_values, dtype, tolerance):
    case, _, terms = terms_of(golden, as_values, dtype)
    *shallow, deepest = case["ce"]
    expected = {"ce": deepest, "ce_exits": sum(shallow), "kd": sum(case["kd"]), "feature": sum(case["feat"])}
    assert {name: part.item() for name, part in terms.parts.items()} == pytest.approx(expected, rel=tolerance)
    assert terms.total.item() == pytest.approx(case["total"], rel=tolerance)


def test_the_deepest_classifier_learns_only_from_the_labels(golden, as_values):
    case, outputs, terms = terms_of(golden, as_values)
    terms.total.backward()
    probabilities = outputs.logits.detach().softmax(dim=1)
    one_hot = torch.nn.functional.one_hot(torch.tensor(case["targets"]), probabilities.shape[1])
    torch.testing.assert_close(outputs.logits.grad, (probabilities - one_hot) / len(one_hot))
    assert outputs.features.grad is None
    assert all(out.features.grad is not None for out in outputs.exits)


def test_each_option_has_its_effect(golden, as_values):
    case, _, terms = terms_of(golden, as_values)
    total = terms.total.item()
    weighted = terms_of(golden, as_values, weight_deepest=True)[2].total.item()
    assert total - weighted == pytest.approx(0.3 * case["ce"][-1])
    without_square = terms_of(golden, as_values, t_squared=False)[2].total.item()
    assert total - without_square == pytest.approx(0.3 * sum(case["kd"]) * (1 - 1 / 9))
    without_last = terms_of(golden, as_values, feature_at_last_exit=False)[2].total.item()
    assert total - without_last == pytest.approx(case["lambda_feat"] * case["feat"][-1])


def test_exits_and_their_mean_are_readouts(golden):
    _, outputs, _ = setting(golden)
    found = Byot().readouts(outputs, None)
    assert list(found) == ["exit1", "exit2", "exit3", "ensemble"]
    everything = torch.stack([outputs.logits, *(out.logits for out in outputs.exits)])
    torch.testing.assert_close(found["ensemble"], everything.mean(dim=0))


@pytest.mark.parametrize(("size", "kernels"), [(32, [1, 8, 1]), (56, [1, 3, 3, 3, 1])])
def test_large_maps_get_small_kernels(size, kernels):
    branch = Byot().branch((4, size, size), (32, size // 8, size // 8), 32, 5)
    assert [block[0].kernel_size[0] for block in branch.body] == kernels
