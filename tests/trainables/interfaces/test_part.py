"""Requirements for all methods, models and data sets."""

import inspect
import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

from trainables.config import part_from
from trainables.interfaces import Dataset, Method, Model, Part, registry

BASES = {"methods": Method, "models": Model, "datasets": Dataset}
METHODS, MODELS, DATASETS = (registry.available(package) for package in registry.PACKAGES)
PARTS = [(package, name) for package in registry.PACKAGES for name in registry.available(package)]


@pytest.mark.parametrize(("package", "name"), PARTS)
def test_a_part_is_rebuilt_from_what_it_dumps(package, name):
    part = part_from(package, name)
    assert isinstance(part, BASES[package])
    dump = part.model_dump(mode="json")
    assert dump["name"] == name
    assert part_from(package, dump) == part


@pytest.mark.parametrize(("package", "name"), PARTS)
def test_a_wrong_option_is_refused_by_name(package, name):
    with pytest.raises(ValueError, match="no_such_option"):
        part_from(package, {"name": name, "no_such_option": 1})


@pytest.mark.parametrize(("package", "name"), PARTS)
def test_a_part_has_a_description(package, name):
    part = registry.load(package, name)
    description = inspect.getdoc(part)
    assert description != inspect.getdoc(BASES[package])
    assert description.splitlines()[0].endswith(".")


def test_parts_load_without_torch():
    script = f"""
import sys
from trainables.interfaces import registry
for package, name in {PARTS!r}:
    registry.load(package, name).model_json_schema()
heavy = {{"torch", "torchvision", "sklearn", "pandas", "PIL"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", METHODS)
def test_the_views_of_a_method_have_distinct_names(name):
    names = [view.name for view in part_from("methods", name).views()]
    assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_features_and_a_classifier(name):
    torch.manual_seed(0)
    part = registry.load("models", name)
    small = {"width": 4, "input_size": 8} if {"width", "input_size"} <= part.model_fields.keys() else {}
    model = part.model_validate(small).build(7).eval()
    size = getattr(part.model_validate(small), "input_size", 224)
    images = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        features, maps = model.features(images), model.feature_maps(images)
        assert features.ndim == 2
        assert model.classifier.in_features == features.shape[1] == maps[-1].shape[1]
        torch.testing.assert_close(model.pooled(maps[-1]), features)
        sizes = [one.shape[2] for one in maps]
        assert [size // sizes[-1] for size in sizes] == [8, 4, 2, 1]
        assert model.classifier(features).shape == (2, 7)
        torch.testing.assert_close(model(images), model.classifier(features))


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_declares_its_transforms(name):
    dataset = part_from("datasets", name)
    for constants in (dataset.mean, dataset.std):
        assert len(constants) == 3
        assert all(0 < value < 1 for value in constants)
    assert 0 <= dataset.augmentation.flip <= 1


@pytest.mark.parametrize(("package", "name"), PARTS)
def test_a_part_is_frozen(package, name):
    part: Part = part_from(package, name)
    for field in type(part).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, field, getattr(part, field))
