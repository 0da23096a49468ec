import pytest
import torch

from trainables.models.layers.branch import Branch


def size_of(branch):
    return sum(parameter.numel() for parameter in branch.parameters())


@pytest.mark.parametrize(
    ("inputs", "reduction", "expected"), [(64, 8, 1_175_908), (128, 4, 397_668), (256, 2, 217_444)]
)
def test_has_the_known_number_of_parameters(inputs, reduction, expected):
    with torch.device("meta"):
        assert size_of(Branch(inputs, 512, 100, reduction, strided=False)) == expected


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize(("size", "reduction"), [(32, 8), (16, 4), (8, 2)])
def test_the_map_is_reduced_to_width_and_size_of_the_last_map(size, reduction, strided):
    branch = Branch(6, 16, 3, reduction, strided=strided)
    assert branch.body(torch.zeros(2, 6, size, size)).shape == (2, 16, 4, 4)
    outputs = branch(torch.zeros(2, 6, size, size))
    assert (outputs.logits.shape, outputs.features.shape) == ((2, 3), (2, 16))


def test_an_adapter_changes_the_features_and_not_the_logits():
    torch.manual_seed(0)
    branch, maps = Branch(6, 16, 3, 2, strided=False, adapter=True).eval(), torch.randn(2, 6, 8, 8)
    pooled, outputs = branch.body(maps).mean(dim=(2, 3)), branch(maps)
    torch.testing.assert_close(outputs.logits, branch.classifier(pooled))
    torch.testing.assert_close(outputs.features, branch.adapter(pooled))
    assert size_of(branch.adapter) == 16 * 17
