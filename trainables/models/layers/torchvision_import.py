"""The one door to torchvision: its data sets, reference models and transforms.

The registry's torchvision is built for CUDA. Beside a CPU build of torch its own operators cannot be loaded, and its
import fails at the first that is looked up. Data sets, classification models and transforms need none of them: it is
enough to declare them. Where torchvision imports by itself nothing is changed.
"""

import sys

import torch

try:
    import torchvision
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    for _name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[_name]
    # The declarations end with this object.
    _declarations = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    _declarations.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _declarations.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    import torchvision

from torchvision import datasets, models
from torchvision.transforms import v2 as transforms

__all__ = ["datasets", "models", "torchvision", "transforms"]
