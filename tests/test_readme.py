"""What the README says of study files and commands is true of the code."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import typer

from search_spaces.space import as_mapping, default_space
from search_spaces.symbols import symbol
from study.campaigns import preview
from study.cli import app
from study.definition import loading, yaml_reader
from trainables.interfaces import registry

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_study_file_is_valid() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    study = loading.build(yaml_reader.parse(block.encode(), "README.md"), "README.md")
    assert set(study.space()) == {"temperature", "lambda_cls", "training.lr"}


def test_the_default_spaces_are_those_of_the_code() -> None:
    rows = ["| method | default space | why |", "| --- | --- | --- |"]
    for name in registry.available("methods"):
        space = default_space(name)
        if space is not None:
            reason = inspect.getdoc(import_module(f"search_spaces.{name}")).split("\n\n")[0]
            ranges = ", ".join(f"{symbol(key).text} {preview.range_text(as_mapping(of))}" for key, of in space.items())
            rows.append(f"| `{name}` | {ranges} | {' '.join(reason.split())} |")
    assert "\n".join(rows) in README


def test_every_command_and_every_part_is_named() -> None:
    commands = set(typer.main.get_command(app).commands)
    parts = {name for package in registry.PACKAGES for name in registry.available(package)}
    missing = {name for name in commands | parts if not re.search(rf"\b{name}\b", README)}
    assert not missing
    for name in re.findall(r"`cskd (\w+)", README):
        assert name in commands
