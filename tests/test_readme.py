"""The README agrees with the code: study file, Python example, parts, layers and links."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest

from study.api import Study
from study.definition import loading, yaml_reader
from trainables.interfaces import registry

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LAYERS = {
    contract["containers"][0]: contract["layers"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    if "containers" in contract
}


def test_it_stays_short() -> None:
    assert len(README.splitlines()) <= 130
    assert len(README.split()) <= 950


def test_the_study_file_is_valid() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    study = loading.build(yaml_reader.parse(block.encode(), "README.md"), "README.md")
    assert set(study.space()) == {"temperature", "lambda_cls"}


def test_the_python_example_uses_methods_of_study() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    compile(block, "README.md", "exec")
    for name in re.findall(r"\b[Ss]tudy\.(\w+)\(", block):
        assert inspect.isfunction(inspect.unwrap(getattr(Study, name))) or inspect.ismethod(getattr(Study, name)), name


def test_every_part_is_named() -> None:
    parts = {name for package in registry.PACKAGES for name in registry.available(package)}
    assert not {name for name in parts if f"`{name}`" not in README}


@pytest.mark.parametrize("package", LAYERS)
def test_the_layers_are_those_of_the_import_contracts(package: str) -> None:
    (line,) = re.findall(rf"^\* \*\*{package}\*\*[^:]*: (.*(?:\n  .*)*)", README, flags=re.MULTILINE)
    layers = [layer.strip().split(", ") for layer in " ".join(line.split()).split("→")]
    assert [sorted(layer) for layer in layers] == [sorted(re.split(" [|:] ", layer)) for layer in LAYERS[package]]
