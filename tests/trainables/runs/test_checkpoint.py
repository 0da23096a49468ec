import math
import os
import pickle

import pytest
import torch

from trainables.errors import CheckpointError
from trainables.files.durable import sha256_of, write_atomic
from trainables.runs import checkpoint, checkpoint_names
from trainables.runs.checkpoint import CheckpointWriter


def state(number: float) -> dict:
    return {"epoch": number, "best": math.inf, "classes": ["a"], "model": {"weight": torch.full((3,), float(number))}}


def write_three(directory):
    writer = CheckpointWriter(directory)
    for epoch in (9, 10, 11):
        writer.write(epoch, state(epoch))
    writer.wait()
    return checkpoint_names.generations(directory)


def test_a_saved_checkpoint_is_loaded(tmp_path):
    path = checkpoint_names.path_of(tmp_path / "new", 3)
    checkpoint.save(path, state(3))
    loaded = checkpoint.load(path)
    assert torch.equal(loaded.pop("model")["weight"], torch.full((3,), 3.0))
    assert loaded == {"epoch": 3, "best": math.inf, "classes": ["a"]}
    assert checkpoint_names.checksum_of(path).read_text() == sha256_of(path.read_bytes())


def test_two_generations_are_kept_newest_first(tmp_path):
    paths = write_three(tmp_path)
    assert paths == [checkpoint_names.path_of(tmp_path, epoch) for epoch in (11, 10)]
    assert set(tmp_path.iterdir()) == {*paths, *map(checkpoint_names.checksum_of, paths)}
    assert checkpoint.load_newest(tmp_path)["epoch"] == 11


def test_load_newest_without_checkpoints_returns_none(tmp_path):
    assert checkpoint.load_newest(tmp_path / "absent") is None


def flip_bit(path, position=0.5):
    content = bytearray(path.read_bytes())
    content[int(len(content) * position)] ^= 0x80
    path.write_bytes(content)


DAMAGES = {
    "first bit": lambda path: flip_bit(path, 0),
    "bit in the middle": flip_bit,
    "bit at the end": lambda path: flip_bit(path, 0.999),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "checksum missing": lambda path: checkpoint_names.checksum_of(path).unlink(),
    "checksum damaged": lambda path: flip_bit(checkpoint_names.checksum_of(path)),
    "checksum empty": lambda path: os.truncate(checkpoint_names.checksum_of(path), 0),
    "file missing": lambda path: path.unlink(),
}


@pytest.mark.fault(18, 19)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_the_previous_one_is_used(tmp_path, damage):
    newest, before = write_three(tmp_path)
    DAMAGES[damage](newest)
    with pytest.raises(CheckpointError, match=newest.name):
        checkpoint.load(newest)
    assert checkpoint.load_newest(tmp_path)["epoch"] == 10
    flip_bit(before)
    assert checkpoint.load_newest(tmp_path) is None


def test_an_incomplete_checkpoint_does_not_displace_a_complete_one(tmp_path):
    newest, before = write_three(tmp_path)
    checkpoint_names.checksum_of(newest).unlink()
    writer = CheckpointWriter(tmp_path)
    writer.write(12, state(12))
    writer.wait()
    assert before.exists()
    flip_bit(checkpoint_names.path_of(tmp_path, 12))
    assert checkpoint.load_newest(tmp_path)["epoch"] == 10


class Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.bad_input(39)
def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path):
    proof, path = tmp_path / "ran", checkpoint_names.path_of(tmp_path, 1)
    checkpoint.save(path, state(1) | {"evil": Code(proof)})
    bare = checkpoint_names.path_of(tmp_path, 2)
    write_atomic(bare, pickle.dumps(Code(proof)))
    write_atomic(checkpoint_names.checksum_of(bare), sha256_of(bare.read_bytes()).encode())
    for refused in (path, bare):
        with pytest.raises(CheckpointError, match=r"could run code; nothing was loaded") as caught:
            checkpoint.load(refused)
        assert "\n" not in str(caught.value)
        assert "weights_only" not in str(caught.value)  # torch's advice is to run the code
    assert not proof.exists()


def test_a_snapshot_is_independent_of_later_training():
    weight = torch.nn.Parameter(torch.ones(2))
    original = {"a": [weight, (weight * 2, 3)], "b": {"c": "text", "d": None}}
    copy = checkpoint.snapshot(original)
    with torch.no_grad():
        weight.zero_()
    original["b"]["c"] = "other"
    assert torch.equal(copy["a"][0], torch.ones(2))
    assert not copy["a"][0].requires_grad
    assert torch.equal(copy["a"][1][0], torch.full((2,), 2.0))
    assert copy["a"][1][1] == 3
    assert copy["b"] == {"c": "text", "d": None}


def test_the_writer_saves_the_state_at_the_time_of_the_call(tmp_path):
    live = state(1)
    live["model"]["weight"] = torch.ones(2_000_000)
    writer = CheckpointWriter(tmp_path)
    writer.write(1, live)
    live["model"]["weight"].zero_()
    writer.wait()
    assert checkpoint.load_newest(tmp_path)["model"]["weight"].min() == 1


@pytest.mark.parametrize("surface", ["wait", "next write"])
def test_a_failed_write_is_raised_once_and_the_writer_continues(tmp_path, surface):
    blocked = tmp_path / "checkpoints"
    blocked.write_bytes(b"a file where the directory should be")
    writer = CheckpointWriter(blocked)
    writer.write(1, state(1))
    with pytest.raises(OSError, match="checkpoints"):
        writer.wait() if surface == "wait" else writer.write(2, state(2))
    blocked.unlink()
    writer.write(3, state(3))
    writer.wait()
    assert [path.name for path in checkpoint_names.generations(blocked)] == ["epoch_000003.pt"]


def test_any_error_in_the_thread_is_raised(tmp_path):
    writer = CheckpointWriter(tmp_path)
    writer.write(1, {"not data": lambda: None})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        writer.wait()
    assert checkpoint.load_newest(tmp_path) is None
