"""Fixtures and settings that tests of all packages share."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]
SHARED_DATA = REPOSITORY / ".." / "shared" / "data"

with contextlib.suppress(ImportError):  # a GPU machine may come without it, and tests/gpu needs none
    from hypothesis import settings

    # Machines are shared: how long an example takes says nothing about the code.
    settings.register_profile("cskd", deadline=None)
    settings.load_profile("cskd")

# Tests start hundreds of processes; without byte code each compiles what it imports.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = ["tests.kit.fixtures.archives"]
if all(map(find_spec, ("optuna", "mlflow", "altair"))):  # a GPU machine has none of them, and tests/gpu needs none
    pytest_plugins += ["tests.kit.fixtures.studies", "tests.kit.fixtures.results"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Makes a GPU machine without pytest-timeout know the option that is set for it."""
    with contextlib.suppress(ValueError):  # the plug-in is there
        parser.addini("timeout", "seconds for a test, where pytest-timeout is installed")


def pytest_configure(config: pytest.Config) -> None:
    """Likewise its marker."""
    config.addinivalue_line("markers", "timeout(seconds): for a test that may take longer")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starts slow tests first, so that no worker ends with a long one while the others have nothing left."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """Sections of the numeric acceptance cases."""
    return json.loads((REPOSITORY / "tests" / "data" / "golden.json").read_text())["sections"]


@pytest.fixture(scope="session")
def cifar100_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that holds the published ``cifar-100-python``."""
    script = SHARED_DATA / "unpack_cifar100.py"
    if not script.exists():
        pytest.skip("the shared data folder with CIFAR-100 is not beside this checkout")
    root = tmp_path_factory.mktemp("cifar100")
    subprocess.run([sys.executable, str(script), str(root)], check=True, capture_output=True)
    return root


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium without a window, for pages that are tested as their readers see them."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no chromium on this machine")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=quiet)
        yield opened
        opened.close()


class LogitsForward:
    """A network whose logits and features are its input, so that a batch can be written down as logits.

    Attributes:
        calls: ``student``, ``teacher`` and ``pretrained`` passes in order, each with its input.
        pretrained_logits: What the trained teacher answers, whatever it sees.
        classifier: The last layer, for methods that look at it.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.pretrained_logits: Any = None
        self.classifier: Any = None

    def pretrained(self, images: Any) -> Any:
        self.calls.append(("pretrained", images))
        return SimpleNamespace(logits=self.pretrained_logits, features=None)

    def student(self, images: Any) -> Any:
        self.calls.append(("student", images))
        return SimpleNamespace(logits=images, features=images)

    def teacher(self, images: Any) -> Any:
        self.calls.append(("teacher", images))
        return SimpleNamespace(logits=images.detach(), features=images.detach())


@pytest.fixture
def logits_forward() -> LogitsForward:
    """The network that hands its input through."""
    return LogitsForward()


@pytest.fixture
def as_values() -> Any:
    """Turns hyperparameters into the scalar float64 tensors that methods take."""
    import torch

    def convert(options: Mapping[str, float]) -> dict[str, Any]:
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in options.items()}

    return convert
