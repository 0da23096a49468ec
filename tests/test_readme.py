"""What the README says of study files and commands is true of the code."""

import re
from pathlib import Path

import typer

from study import config, study_file
from study.cli import app
from trainables import registry

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_study_file_is_valid() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    study = config.build(study_file.parse(block.encode(), "README.md"), "README.md")
    assert set(study.space()) == {"temperature", "lambda_cls", "training.lr"}


def test_every_command_and_every_part_is_named() -> None:
    commands = set(typer.main.get_command(app).commands)
    parts = {name for package in registry.PACKAGES for name in registry.available(package)}
    missing = {name for name in commands | parts if not re.search(rf"\b{name}\b", README)}
    assert not missing
    for name in re.findall(r"`cskd (\w+)", README):
        assert name in commands
