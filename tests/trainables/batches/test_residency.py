import sys
import threading

import numpy as np
import torch

from trainables.batches.residency import free_bytes, host_buffer, to_arrays

CPU = torch.device("cpu")


def test_memory_from_inference_mode_may_be_filled_by_another_thread():
    with torch.inference_mode():
        buffer = host_buffer((2, 3), torch.uint8, CPU)
        thread = threading.Thread(target=buffer.fill_, args=(7,))
        thread.start()
        thread.join()
    assert buffer.shape == (2, 3)
    assert buffer.dtype is torch.uint8
    assert buffer.unique().tolist() == [7]


def test_a_cpu_copies_nothing_and_has_unlimited_memory():
    values = torch.arange(6, dtype=torch.float32).view(2, 3)
    array = to_arrays({"logits": values})["logits"]
    values[0, 0] = 9
    assert np.array_equal(array, [[9, 1, 2], [3, 4, 5]])
    assert free_bytes(CPU) == sys.maxsize
