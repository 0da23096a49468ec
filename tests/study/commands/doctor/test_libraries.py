"""Tests of the checks of Python, libraries, GPU and code."""

import sys
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from study.commands.doctor import libraries
from study.state import provenance


def test_this_installation_has_no_problems() -> None:
    found = list(libraries.check())
    assert {finding.subject for finding in found} >= {"python", *libraries.SHOWN, "other libraries", "GPU", "code"}
    assert not [finding for finding in found if finding.level == "problem"]


@pytest.mark.parametrize(
    ("text", "level", "found_text"),
    [
        ("torch>=2.10", "ok", "2."),
        ("torch>=99", "problem", ", but >=99 is required"),
        ("no-such-library>=1", "problem", "not installed"),
    ],
)
def test_a_library_that_is_missing_or_too_old_is_a_problem(text: str, level: str, found_text: str) -> None:
    found = libraries.library(Requirement(text))
    assert found.level == level
    assert found_text in found.found
    assert found.cure == ("" if level == "ok" else f"pip install '{text}'")


def test_an_old_python() -> None:
    assert libraries.python(">=3.11").level == "ok"
    assert libraries.python(">=99").cure == "install Python >=99"


def test_incompatible_torch_and_torchvision_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trainables.models.layers.torchvision_import", None)
    monkeypatch.delattr("trainables.models.layers.torchvision_import", raising=False)
    assert libraries.vision().level == "problem"
    monkeypatch.setitem(sys.modules, "torch", None)
    assert libraries.accelerator().level == "problem"


def test_gpus_are_listed_with_memory_capability_and_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = SimpleNamespace(name="Fast", total_memory=80 * 2**30, major=9, minor=0)
    cuda = SimpleNamespace(
        is_available=lambda: True,
        is_bf16_supported=lambda: True,
        device_count=lambda: 2,
        get_device_properties=lambda _: gpu,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert libraries.accelerator().found.count("Fast, 80 GiB, capability 9.0, bf16") == 2
    unseen = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False), __version__="2.13.0+cpu")
    monkeypatch.setitem(sys.modules, "torch", unseen)
    monkeypatch.setattr(libraries.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    assert libraries.accelerator().level == "warning"


@pytest.mark.parametrize(("commit", "level"), [("abc", "ok"), ("abc+changes", "warning"), (None, "ok")])
def test_the_code(monkeypatch: pytest.MonkeyPatch, commit: str | None, level: str) -> None:
    monkeypatch.setattr(provenance, "git_commit", lambda: commit)
    assert libraries.code().level == level
