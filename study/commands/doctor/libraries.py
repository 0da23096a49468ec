"""Checks Python, the installed libraries, the accelerator and the code version."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from study.commands.doctor.finding import Finding
from study.state import provenance

DISTRIBUTION = "cs-kd-study"
SHOWN = ("torch", "torchvision", "ray", "optuna", "mlflow", "pyarrow")


def check() -> Iterator[Finding]:
    """Checks installed versions against the requirements, then torch, torchvision, the GPU and the code."""
    metadata = importlib.metadata.metadata(DISTRIBUTION)
    yield python(metadata["Requires-Python"])
    needed = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or ()]
    needed = [requirement for requirement in needed if requirement.marker is None or requirement.marker.evaluate()]
    findings = [library(requirement) for requirement in needed]
    yield from (finding for finding in findings if finding.subject in SHOWN or finding.level != "ok")
    others = sum(finding.level == "ok" and finding.subject not in SHOWN for finding in findings)
    yield Finding("ok", "other libraries", f"{others} satisfy their requirements")
    yield vision()
    yield accelerator()
    yield code()


def python(needed: str) -> Finding:
    """Checks the Python version."""
    if SpecifierSet(needed).contains(platform.python_version(), prereleases=True):
        return Finding("ok", "python", platform.python_version())
    return Finding("problem", "python", platform.python_version(), f"install Python {needed}")


def library(requirement: Requirement) -> Finding:
    """Checks an installed library against its requirement in ``pyproject.toml``."""
    try:
        found = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Finding("problem", requirement.name, "not installed", f"pip install '{requirement}'")
    if requirement.specifier.contains(found, prereleases=True):
        return Finding("ok", requirement.name, found)
    return Finding(
        "problem", requirement.name, f"{found}, but {requirement.specifier} is required", f"pip install '{requirement}'"
    )


def vision() -> Finding:
    """Checks that torch and torchvision can be imported together; their builds may be incompatible."""
    try:
        from trainables.models.layers import torchvision_import
    except Exception as error:  # a broken binary may raise anything
        return Finding("problem", "torch + torchvision", f"{type(error).__name__}: {error}", "install matching builds")
    return Finding("ok", "torch + torchvision", f"compatible ({len(torchvision_import.models.list_models())} models)")


def accelerator() -> Finding:
    """Checks which GPUs torch can use."""
    try:
        import torch
    except Exception:  # reported by ``vision``
        return Finding("problem", "GPU", "unknown, because torch cannot be imported", "reinstall torch")
    if torch.cuda.is_available():
        return Finding("ok", "GPU", ", ".join(_gpus(torch)))
    if shutil.which("nvidia-smi") or Path("/dev/nvidia0").exists():
        return Finding("warning", "GPU", f"present, but torch {torch.__version__} cannot use it", _CUDA_BUILD)
    return Finding("ok", "GPU", "none; trials run on the CPU")


def code() -> Finding:
    """Reports the commit of the running code."""
    commit = provenance.git_commit()
    if commit is None:
        return Finding("ok", "code", f"not a git checkout; digest {provenance.code_digest()}")
    if commit.endswith("+changes"):
        return Finding(
            "warning", "code", f"commit {commit}", "commit your changes before a study that must be reproducible"
        )
    return Finding("ok", "code", f"commit {commit}")


_CUDA_BUILD = "install a CUDA build of torch, or check that the container may use the GPU"


def _gpus(torch: Any) -> Iterator[str]:
    bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
    for number in range(torch.cuda.device_count()):
        seen = torch.cuda.get_device_properties(number)
        yield f"{seen.name}, {seen.total_memory / 2**30:.0f} GiB, capability {seen.major}.{seen.minor}, {bf16}"
