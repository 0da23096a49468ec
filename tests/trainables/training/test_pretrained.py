import pytest
import torch

from tests.kit.inputs.training import patterns, small_config
from trainables.errors import CheckpointError, ConfigError
from trainables.interfaces import Teacher
from trainables.runs import checkpoint
from trainables.training.pretrained import load_teacher
from trainables.training.trainer import Trainer
from trainables.training.training_data import open_training_data

CPU = torch.device("cpu")
CLASSES = ("a", "b", "c", "d")


def trainer(method="cross_entropy", **changes):
    config = small_config(method, dataset=patterns(8), **changes)
    return Trainer(config, open_training_data(config.dataset, config.train_on, CPU), CPU)


@pytest.fixture
def saved(tmp_path):
    """Saves the state of a training, optionally changed."""

    def save(made, **changes):
        path = tmp_path / "epoch_000001.pt"
        state = made.state_dict() | changes
        checkpoint.save(path, {key: value for key, value in state.items() if value is not None})
        return path

    return save


def load(path, **options):
    return load_teacher(Teacher(checkpoint=path, **options), CLASSES, (8, 8), CPU, torch.float32)


@pytest.mark.parametrize("method", ["cs_kd", "adacos", "byot", "virtual_softmax"])
def test_the_teacher_predicts_as_it_did_in_evaluation(saved, method):
    made = trainer(method)
    made.run_epoch()
    images = torch.randn(6, 3, 8, 8)
    found = load(saved(made)).student(images)
    made.model.eval()
    with torch.no_grad():
        torch.testing.assert_close(found.logits, made._workbench.network.student(images).logits)
    assert not found.logits.requires_grad


def test_a_teacher_without_a_file_is_a_configuration_error():
    with pytest.raises(ConfigError, match=r"set method\.teacher\.checkpoint"):
        load(None)


def test_a_missing_file_is_reported_in_one_line(tmp_path):
    with pytest.raises(CheckpointError, match=r"no teacher at .*: there is no such file"):
        load(tmp_path / "none.pt")


def test_another_file_than_recorded_is_refused(saved):
    with pytest.raises(CheckpointError, match="is not the file that the study recorded"):
        load(saved(trainer()), sha256="0" * 64)


def test_a_damaged_file_is_refused(saved):
    path = saved(trainer())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        load(path)


def test_a_file_that_no_run_wrote_is_refused(saved):
    with pytest.raises(CheckpointError, match="contains no configuration or no weights"):
        load(saved(trainer(), config=None))


def test_weights_of_another_architecture_are_refused(saved):
    other = trainer(model={"name": "preact_resnet18", "width": 4, "input_size": 8})
    with pytest.raises(CheckpointError, match="its weights are not those of preact_resnet18") as caught:
        load(saved(other, model=trainer().model.state_dict()))
    assert "\n" not in str(caught.value)


def test_other_classes_are_refused(saved):
    with pytest.raises(CheckpointError, match="trained on 4 classes, such as 'x', which are not the 4 of the data set"):
        load(saved(trainer(), classes=["x", "b", "c", "d"]))


def test_a_configuration_that_is_no_longer_valid_is_refused(saved):
    made = trainer()
    config = made.config.model_dump(mode="json") | {"model": {"name": "no_such_model"}}
    with pytest.raises(CheckpointError, match="no model is called 'no_such_model'"):
        load(saved(made, config=config))
