"""Shared fixtures and settings of all tests."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from tests.kit.patience import patience
from tests.kit.servers import guardian

REPOSITORY = Path(__file__).parents[1]
GROUPS = {  # tests that use these slow fixtures run in one process, which sets each up once
    "mlflow_server": "MLflow",
    "own_server": "MLflow",
    "cub50": "real images",
    "tiny20": "real images",
    "task": "methods on real images",
}
SHARED_DATA = REPOSITORY / ".." / "shared" / "data"

with contextlib.suppress(ImportError):  # a GPU machine may lack it, and tests/gpu does not need it
    from hypothesis import settings

    # Machines are shared, so the duration of an example says nothing about the code.
    settings.register_profile("cskd", deadline=None)
    settings.load_profile("cskd")

# Tests start hundreds of processes; without byte code each compiles what it imports.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = ["tests.kit.fixtures.archives"]
if all(map(find_spec, ("optuna", "mlflow", "altair"))):  # a GPU machine may lack them, and tests/gpu does not need them
    pytest_plugins += ["tests.kit.fixtures.studies", "tests.kit.fixtures.results"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Registers the option of pytest-timeout, which GPU machines may lack."""
    with contextlib.suppress(ValueError):  # the plug-in is installed
        parser.addini("timeout", "time limit of a test in seconds, if pytest-timeout is installed")


def pytest_configure(config: pytest.Config) -> None:
    """Makes a GPU machine without pytest-timeout know its marker, and has a guardian end what a killed run leaves."""
    config.addinivalue_line("markers", "timeout(seconds): for a test that may take longer")
    config.addinivalue_line("markers", "xdist_group(name): tests that run in one process")
    guardian.start()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job ignores it, and so would drivers
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Starts slow tests first, so that no process ends with a long one, and gives slow machines more time."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    given = config.getoption("timeout", None)  # on the command line
    default = float(config.getini("timeout") or 0) if given is None else given
    for item in items:
        marker = item.get_closest_marker("timeout")
        item.add_marker(pytest.mark.timeout(patience(marker.args[0] if marker else default)), append=False)
        if item.get_closest_marker("xdist_group") is not None:
            continue
        group = next((GROUPS[name] for name in item.fixturenames if name in GROUPS), None)
        if group is None and item.get_closest_marker("slow") is None:
            group = str(item.path)  # module fixtures are set up once
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def made_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder once for all processes of this test run: ``made_once(name, fill)`` returns its path."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder = shared / f"once-{name}"
        with FileLock(shared / f"once-{name}.lock"):
            if not folder.exists():
                unfinished = shared / f"once-{name}.unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)  # of an attempt that failed
                unfinished.mkdir()
                fill(unfinished)
                unfinished.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """Sections of the numeric acceptance cases."""
    return json.loads((REPOSITORY / "tests" / "data" / "golden.json").read_text())["sections"]


@pytest.fixture(scope="session")
def cifar100_root(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Folder that holds the published ``cifar-100-python``; tests only read it."""
    script = SHARED_DATA / "unpack_cifar100.py"
    if not script.exists():
        pytest.skip("the shared data folder with CIFAR-100 is not beside this checkout")
    unpack = [sys.executable, str(script)]
    return made_once("cifar100", lambda root: subprocess.run([*unpack, str(root)], check=True, capture_output=True))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("chromium is not installed")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=quiet)
        yield opened
        opened.close()


class LogitsForward:
    """Network that returns its input as logits and features, so that tests can define a batch by its logits.

    Attributes:
        calls: ``student``, ``teacher`` and ``pretrained`` passes in order, each with its input.
        pretrained_logits: Logits that the trained teacher returns for any input.
        classifier: Last layer, for methods that use it.
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
    """Network that returns its input."""
    return LogitsForward()


@pytest.fixture
def as_values() -> Any:
    """Function that converts hyperparameters to the scalar float64 tensors that methods expect."""
    import torch

    def convert(options: Mapping[str, float]) -> dict[str, Any]:
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in options.items()}

    return convert
