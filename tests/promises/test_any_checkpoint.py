"""A checkpoint file with any content is read as data or rejected with one line; its code never runs."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainables.errors import CheckpointError
from trainables.files.durable import sha256_of
from trainables.runs import checkpoint
from trainables.runs.checkpoint_names import checksum_of

pytestmark = pytest.mark.bad_input(39)
EXAMPLES = int(os.environ.get("CSKD_EXAMPLES", "60"))
few = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Runs:
    """Creates a folder when unpickled, which proves that code ran."""

    def __init__(self, proof: Path) -> None:
        self._proof = proof

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self._proof),)


def whole() -> bytes:
    sink = io.BytesIO()
    torch.save({"epoch": 3, "model": {"weight": torch.arange(6.0).view(2, 3)}, "classes": ["a", "b"]}, sink)
    return sink.getvalue()


WHOLE = whole()


def load(folder: Path, content: bytes) -> None:
    """Loads an untrusted file with a correct checksum; asserts that it is read or rejected with one line."""
    path = folder / "epoch_000001.pt"
    path.write_bytes(content)
    checksum_of(path).write_text(sha256_of(content))
    message = None
    try:
        assert isinstance(checkpoint.load(path), dict)
    except CheckpointError as error:
        message = str(error)
    assert message is None or (str(path) in message and len(message.splitlines()) == 1)
    assert not (folder / "ran").exists()


@few
@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda junk: WHOLE[:100] + junk))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    load(tmp_path, content)


@few
@given(place=st.integers(0, len(WHOLE) - 1), removed=st.integers(0, 30), inserted=st.binary(max_size=8))
def test_any_damage(tmp_path: Path, place: int, removed: int, inserted: bytes) -> None:
    load(tmp_path, WHOLE[:place] + inserted + WHOLE[place + removed :])


@few
@given(place=st.integers(0, 8 * len(WHOLE) - 1))
def test_a_flipped_bit_without_a_new_checksum_is_never_loaded(tmp_path: Path, place: int) -> None:
    path = tmp_path / "epoch_000001.pt"
    flipped = bytearray(WHOLE)
    flipped[place // 8] ^= 1 << place % 8
    path.write_bytes(flipped)
    checksum_of(path).write_text(sha256_of(WHOLE))
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        checkpoint.load(path)


def nested(value: Any, layers: list[str]) -> Any:
    """Wraps a value in lists, tuples and dictionaries."""
    for layer in layers:
        value = {"list": [value], "tuple": (1, value), "dict": {"model": value}, "key": {"a": [value, "b"]}}[layer]
    return value


layers = st.lists(st.sampled_from(["list", "tuple", "dict", "key"]), max_size=4)


@few
@given(layers=layers, how=st.sampled_from(["torch", "old torch", "bare", "renamed"]), protocol=st.integers(2, 5))
def test_code_never_runs(tmp_path: Path, layers: list[str], how: str, protocol: int) -> None:
    state, sink = nested(Runs(tmp_path / "ran"), layers), io.BytesIO()
    if how == "bare":
        pickle.dump(state, sink, protocol=protocol)
    elif how == "renamed":  # replaces only the pickle inside a valid file
        with zipfile.ZipFile(io.BytesIO(WHOLE)) as good, zipfile.ZipFile(sink, "w") as made:
            for member in good.namelist():
                bad = member.endswith("data.pkl")
                made.writestr(member, pickle.dumps(state, protocol=protocol) if bad else good.read(member))
    else:
        torch.save(state, sink, pickle_protocol=protocol, _use_new_zipfile_serialization=how == "torch")
    load(tmp_path, sink.getvalue())
    with pytest.raises(CheckpointError, match="could run code"):
        checkpoint.load(tmp_path / "epoch_000001.pt")


def test_unpickling_creates_the_folder(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Runs(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()
