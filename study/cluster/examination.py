"""What each node of a cluster shows before a trial starts: our code, its libraries, and that it reaches our files.

These are the study directory, which all nodes share, or an object store.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.errors import ServiceError
from study.state import provenance, run_collection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What a node says of itself.

    Attributes:
        host: Its name.
        code: Digest of our code there.
        versions: Of Python and the libraries.
        reads: Whether it sees what the driver wrote into the study directory; False where it was not asked.
        error: Why it could not write there, or not use the object store; None when it did.
    """

    host: str
    code: str
    versions: Mapping[str, str]
    reads: bool
    error: str | None


def examine(mark: Path | None, uri: str | None = None, seconds: float = ANSWER_SECONDS) -> list[str]:
    """Asks every node of the connected cluster, all at once.

    Args:
        mark: The driver's, in the study directory, which all nodes must share; None where there is an object store.
        uri: Of the object store.
        seconds: For all answers together.

    Returns:
        What differs without harm, a line each.

    Raises:
        ServiceError: A node does not answer, lacks our code or has other code, or does not reach the files.
    """
    found = _answers(mark, uri, seconds)
    for address, said in found.items():
        refuse_unfit(address, said, mark)
    return [line for address, said in found.items() for line in skew(address, said.versions, provenance.versions())]


def _answers(mark: Path | None, uri: str | None, seconds: float) -> dict[str, Answer]:
    """What each node says, by its address."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    ask = ray.remote(num_cpus=0, max_retries=0)(answer)
    asked = {
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(mark, uri): address
        for node, address in nodes.items()
    }
    ray.wait(list(asked), num_returns=len(asked), timeout=seconds)
    return {address: _answer_to(question, address) for question, address in asked.items()}


def answer(mark: Path | None, uri: str | None = None) -> Answer:
    """Carried out on a node: looks for the driver's mark and leaves one beside it, or uses the object store."""
    reads, error = _uses_store(str(uri)) if mark is None else _shares_directory(mark)
    return Answer(socket.gethostname(), provenance.code_digest(), provenance.versions(), reads, error)


def _uses_store(uri: str) -> tuple[bool, str | None]:
    try:
        run_collection.prove(uri)
    except OSError as caught:
        return False, str(caught)
    return False, None


def _shares_directory(mark: Path) -> tuple[bool, str | None]:
    try:
        mark.with_name(f"{mark.name}.{socket.gethostname()}").write_text("here")
        error = None
    except OSError as caught:
        error = caught.strerror or str(caught)
    return mark.exists(), error


def refuse_unfit(address: str, said: Answer, mark: Path | None) -> None:
    """Checks what a node says of itself.

    Args:
        address: Of the node.
        said: Its answer.
        mark: The driver's, in the study directory; None where there is an object store.

    Raises:
        ServiceError: Trials cannot run there, or their results would be of other code.
    """
    if mark is not None:
        _refuse_unshared(address, said, mark)
    elif said.error is not None:
        raise ServiceError(f"node {address}: {said.error}; give every node the keys and the way to it")
    if said.code != provenance.code_digest():
        raise ServiceError(
            f"node {address}: has other code of cs-kd-study ({said.code}, here {provenance.code_digest()}); install "
            "the same version on every node"
        )


def _refuse_unshared(address: str, said: Answer, mark: Path) -> None:
    directory = mark.parent
    shared = (
        f"node {address}: {directory} is not the study directory of the driver's machine; all nodes must share it "
        "(NFS), or the study needs an object store (artifacts: {uri: s3://…})"
    )
    if said.error is not None and not said.reads:
        raise ServiceError(f"{shared}: {said.error}")
    if said.error is not None:
        raise ServiceError(f"node {address}: {directory} cannot be written: {said.error}")
    if not said.reads or not mark.with_name(f"{mark.name}.{said.host}").exists():
        raise ServiceError(shared)


def skew(address: str, there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Libraries whose versions differ between a node and the driver.

    Example:
        >>> skew("10.0.0.2", {"torch": "2.12.0", "ray": "2.60.0"}, {"torch": "2.13.0", "ray": "2.60.0"})
        ['node 10.0.0.2: torch 2.12.0, here 2.13.0; results may differ in the last digits']
    """
    differing = [
        f"{name} {there.get(name, 'missing')}, here {version}"
        for name, version in here.items()
        if there.get(name) != version
    ]
    return [f"node {address}: {'; '.join(differing)}; results may differ in the last digits"] if differing else []


def _answer_to(question: Any, address: str) -> Answer:
    import ray
    from ray.exceptions import GetTimeoutError, RayError

    try:
        said = ray.get(question, timeout=0)
    except GetTimeoutError:
        raise ServiceError(f"node {address}: does not answer; `ray status` on the head shows why") from None
    except RayError as error:
        if "ModuleNotFoundError" in str(error):
            raise ServiceError(
                f"node {address}: cs-kd-study is not installed there; install it on every node"
            ) from error
        raise ServiceError(f"node {address}: {str(error).strip().splitlines()[-1]}") from error
    assert isinstance(said, Answer)  # noqa: S101 - for the type checker
    return said
