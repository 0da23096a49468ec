"""Python, the libraries and their lowest versions, the accelerator, the code itself."""

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
    """Versions against their floors, which hold older versions with known holes off; then what must work."""
    metadata = importlib.metadata.metadata(DISTRIBUTION)
    yield python(metadata["Requires-Python"])
    needed = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or ()]
    needed = [requirement for requirement in needed if requirement.marker is None or requirement.marker.evaluate()]
    findings = [library(requirement) for requirement in needed]
    yield from (finding for finding in findings if finding.subject in SHOWN or finding.level != "ok")
    others = sum(finding.level == "ok" and finding.subject not in SHOWN for finding in findings)
    yield Finding("ok", "other libraries", f"{others} as required")
    yield vision()
    yield accelerator()
    yield code()


def python(needed: str) -> Finding:
    """The interpreter."""
    if SpecifierSet(needed).contains(platform.python_version(), prereleases=True):
        return Finding("ok", "python", platform.python_version())
    return Finding("problem", "python", platform.python_version(), f"install Python {needed}")


def library(requirement: Requirement) -> Finding:
    """An installed library against what ``pyproject.toml`` asks for."""
    try:
        found = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Finding("problem", requirement.name, "missing", f"pip install '{requirement}'")
    if requirement.specifier.contains(found, prereleases=True):
        return Finding("ok", requirement.name, found)
    return Finding(
        "problem", requirement.name, f"{found}, but {requirement.specifier} is needed", f"pip install '{requirement}'"
    )


def vision() -> Finding:
    """Whether torch and torchvision can be imported together; their builds may not fit."""
    try:
        from trainables.models.layers import torchvision_import
    except Exception as error:  # whatever a broken binary raises
        return Finding("problem", "torch + torchvision", f"{type(error).__name__}: {error}", "install builds that fit")
    return Finding(
        "ok", "torch + torchvision", f"import together ({len(torchvision_import.models.list_models())} models)"
    )


def accelerator() -> Finding:
    """The GPUs that torch sees."""
    try:
        import torch
    except Exception:  # told by ``vision``
        return Finding("problem", "GPU", "unknown, torch cannot be imported", "install torch again")
    if torch.cuda.is_available():
        return Finding("ok", "GPU", ", ".join(_gpus(torch)))
    if shutil.which("nvidia-smi") or Path("/dev/nvidia0").exists():
        return Finding("warning", "GPU", f"there is one, but torch {torch.__version__} does not see it", _CUDA_BUILD)
    return Finding("ok", "GPU", "none; trials run on the CPU")


def code() -> Finding:
    """The commit that runs."""
    commit = provenance.git_commit()
    if commit is None:
        return Finding("ok", "code", f"no checkout; digest {provenance.code_digest()}")
    if commit.endswith("+changes"):
        return Finding("warning", "code", f"commit {commit}", "commit before a study whose results are to be repeated")
    return Finding("ok", "code", f"commit {commit}")


_CUDA_BUILD = "install a CUDA build of torch, or check that the container may use the GPU"


def _gpus(torch: Any) -> Iterator[str]:
    bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
    for number in range(torch.cuda.device_count()):
        seen = torch.cuda.get_device_properties(number)
        yield f"{seen.name}, {seen.total_memory / 2**30:.0f} GiB, capability {seen.major}.{seen.minor}, {bf16}"
