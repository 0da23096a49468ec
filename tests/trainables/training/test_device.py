import pytest
import torch

from trainables.errors import ConfigError
from trainables.training import device
from trainables.training.device import choose_device, choose_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_refused_and_auto_takes_the_cpu():
    with pytest.raises(ConfigError, match=r"training\.device is cuda, but torch sees no GPU"):
        choose_device("cuda")
    assert choose_device("auto") == choose_device("cpu") == CPU


def test_on_a_cpu_auto_is_float32():
    assert choose_precision("auto", CPU) is choose_precision("float32", CPU) is torch.float32


@pytest.mark.parametrize("native", [True, False])
def test_a_cpu_accepts_bfloat16_only_with_hardware_support(native, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native}, raising=False)
    if native:
        assert choose_precision("bfloat16", CPU) is torch.bfloat16
    else:
        with pytest.raises(ConfigError, match=r"training\.precision is bfloat16, which this CPU emulates"):
            choose_precision("bfloat16", CPU)


def test_a_cpu_refuses_float16():
    with pytest.raises(ConfigError, match=r"training\.precision is float16"):
        choose_precision("float16", CPU)


@pytest.mark.parametrize(
    ("bfloat16", "capability", "best"),
    [(True, (9, 0), torch.bfloat16), (False, (7, 5), torch.float16), (False, (6, 1), torch.float32)],
)
def test_a_gpu_uses_the_fastest_type_that_it_supports(bfloat16, capability, best, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert choose_precision("auto", CUDA) is best
    assert choose_precision("float32", CUDA) is torch.float32
    assert device.has_bfloat16(CUDA) is bfloat16
