"""The manual matches the code: links, commands, study files, navigation and generated pages."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from docs import generate
from study import errors as study_errors
from study.cli import app
from study.commands import exit_codes
from study.definition import loading, yaml_reader
from trainables import errors as trainables_errors
from trainables.config import TrainConfig
from trainables.interfaces import registry

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
KINDS = {"tutorials", "how-to", "reference", "explanation"}
PAGES = sorted(DOCS.rglob("*.md"))
WRITTEN = [ROOT / "README.md", *PAGES]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), flags=re.DOTALL)


def commands(path: Path) -> list[list[str]]:
    """Returns the arguments of every ``cskd`` command in shell blocks and in the command reference."""
    shell = [line for block in blocks(path, "sh") for line in block.splitlines()]
    shell += re.findall(r"^Example: `(cskd .*)`$", path.read_text(), flags=re.MULTILINE)
    found = [shlex.split(line, comments=True) for line in shell]
    return [arguments[1:] for arguments in found if arguments and Path(arguments[0]).name == "cskd"]


COMMANDS = [(name_of(path), arguments) for path in WRITTEN for arguments in commands(path)]


def test_the_pages_have_commands() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.parametrize(
    ("page", "arguments"), COMMANDS, ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_every_command_is_accepted_by_its_parser(page: str, arguments: list[str]) -> None:
    command, context = typer.main.get_command(app), None
    while hasattr(command, "commands"):
        name, arguments = arguments[0], arguments[1:]
        assert name in command.commands, f"{page}: no command {name}"
        command = command.commands[name]
    context = command.make_context("cskd", list(arguments))  # raises the error that a user would see
    assert context.command is command


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_commands_in_running_text_exist(page: Path) -> None:
    known = set(typer.main.get_command(app).commands) | {"COMMAND"}
    assert set(re.findall(r"`cskd (\w+)", page.read_text())) <= known


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_links_and_images_refer_to_existing_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target
    marks = [line for line in page.read_text().splitlines() if line.startswith("--8")]
    for mark in marks:
        target = re.fullmatch(r'--8<-- "([^"]+)"', mark)
        assert target is not None, mark
        assert (ROOT / target[1]).exists(), mark


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_named_in_running_text_exist(page: Path) -> None:
    named = re.findall(r"`((?:docs|study|trainables|analysis|search_spaces|tests)/[\w./-]+)`", page.read_text())
    written = {"tests/faults.md", "tests/benchmarks/results/"}  # by `make`
    assert not [name for name in named if name not in written and not (ROOT / name).exists()]


def test_every_page_is_in_the_navigation() -> None:
    def leaves(node: object) -> list[str]:
        if isinstance(node, str):
            return [node]
        return [leaf for each in (node.values() if isinstance(node, dict) else node) for leaf in leaves(each)]

    navigation = leaves(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"])
    assert sorted(navigation) == sorted(str(page.relative_to(DOCS)) for page in PAGES)


def test_every_page_belongs_to_a_kind_and_is_linked_from_the_index() -> None:
    others = {str(page.relative_to(DOCS)) for page in PAGES} - {"index.md"}
    assert {page.partition("/")[0] for page in others} == KINDS
    assert others <= set(re.findall(r"\]\(([^)]+)\)", (DOCS / "index.md").read_text()))


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_study_files_and_configurations_are_valid(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs" / "examples")
    for block in blocks(page, "yaml"):
        content = yaml_reader.parse(block.encode(), name_of(page))
        if "method" in content and "train_on" in content:  # configuration of a single run
            TrainConfig.model_validate(content)
        elif "method" in content and "name" in content:
            loading.build(content, name_of(page))


@pytest.mark.parametrize("name", generate.pages())
def test_a_generated_page_is_up_to_date(name: str) -> None:
    page = DOCS / "reference" / name
    text = page.read_text() if page.exists() else ""
    assert text == generate.pages()[name], f"docs/reference/{name} is out of date; run: python -m docs.generate"


def test_every_command_option_and_key_is_on_the_generated_pages() -> None:
    pages = generate.pages()
    for name, command in typer.main.get_command(app).commands.items():
        assert f"## cskd {name}\n" in pages["commands.md"]
        for parameter in command.params:
            if not parameter.hidden and parameter.name != "help":
                assert all(word in pages["commands.md"] for word in parameter.opts if word.startswith("-"))
    for key in ("name", "search.sampler.name", "confirm.race.seeds", "resources.packing", "database.env"):
        assert f"| `{key}` |" in pages["study_file.md"]
    for package in registry.PACKAGES:
        for name in registry.available(package):
            assert f"| `{name}` |" in pages["parts.md"]


def test_every_exit_code_is_documented() -> None:
    documented = set(
        map(int, re.findall(r"^\| (\d+) \|", (DOCS / "reference/exit_codes.md").read_text(), re.MULTILINE))
    )
    errors = [each for module in (study_errors, trainables_errors) for each in vars(module).values()]
    codes = {each.exit_code for each in errors if isinstance(each, type) and hasattr(each, "exit_code")}
    assert codes | {exit_codes.INTERNAL, 0, 130, 143} <= documented


def test_formulas_are_rendered_as_mathml() -> None:
    pytest.importorskip("latex2mathml", reason="the docs extra is not installed")
    markdown = pytest.importorskip("markdown", reason="the docs extra is not installed")
    shown = markdown.markdown(r"Loss: :math:`z_i * \tilde z * y_i` and `a * b`.", extensions=["docs.formulas"])
    assert shown.count("<math") == 1
    assert "<msub><mi>z</mi><mi>i</mi></msub>" in shown
    assert "<em>" not in shown
    assert ":math:" not in shown
    assert "<code>a * b</code>" in shown


def test_the_report_page_describes_every_section_of_the_report() -> None:
    templates = ROOT / "analysis" / "report" / "templates"
    text = (templates / "report.html").read_text() + (templates / "macros.html").read_text()
    described = re.findall(r"^## (.+)$", (DOCS / "how-to" / "read_the_report.md").read_text(), flags=re.MULTILINE)
    assert set(described) == set(re.findall(r"<h2[^>]*>([^<{]+)<", text))
