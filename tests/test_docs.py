"""What the manual says can be done: its links lead somewhere, and its commands exist with those options."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from study.cli import app
from study.definition import loading, yaml_reader
from trainables.config import TrainConfig
from trainables.interfaces import registry

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
WRITTEN = [ROOT / "README.md", *PAGES]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), flags=re.DOTALL)


def commands(path: Path) -> list[list[str]]:
    """Every ``cskd`` line of the shell blocks, and every command named in running text, as words."""
    shell = [line for block in blocks(path, "sh") for line in block.splitlines()]
    found = [shlex.split(line, comments=True) for line in shell]
    return [words[1:] for words in found if words and Path(words[0]).name == "cskd"]


COMMANDS = [(name_of(path), words) for path in WRITTEN for words in commands(path)]


def test_the_pages_have_commands() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.parametrize(
    ("page", "words"), COMMANDS, ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_every_command_is_accepted_by_its_parser(page: str, words: list[str]) -> None:
    command, context = typer.main.get_command(app), None
    while hasattr(command, "commands"):
        name, words = words[0], words[1:]
        assert name in command.commands, f"{page}: no command {name}"
        command = command.commands[name]
    context = command.make_context("cskd", list(words))  # raises what the user would see
    assert context.command is command


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target
    marks = [line for line in page.read_text().splitlines() if line.startswith("--8")]
    for mark in marks:
        target = re.fullmatch(r'--8<-- "([^"]+)"', mark)
        assert target is not None, mark
        assert (ROOT / target[1]).exists(), mark


def test_every_page_is_in_the_navigation() -> None:
    def leaves(node: object) -> list[str]:
        if isinstance(node, str):
            return [node]
        return [leaf for each in (node.values() if isinstance(node, dict) else node) for leaf in leaves(each)]

    navigation = leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert sorted(navigation) == sorted(str(page.relative_to(ROOT / "docs")) for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_study_files_and_configurations_are_valid(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs" / "examples")
    for block in blocks(page, "yaml"):
        content = yaml_reader.parse(block.encode(), name_of(page))
        if "method" in content and "train_on" in content:  # of a single run
            TrainConfig.model_validate(content)
        elif "method:" in block:
            loading.build(content, name_of(page))


def test_the_reference_has_every_method() -> None:
    shown = re.findall(
        r"^::: trainables\.methods\.(\w+)$", (ROOT / "docs/reference/methods.md").read_text(), re.MULTILINE
    )
    assert sorted(shown) == sorted(registry.available("methods"))
