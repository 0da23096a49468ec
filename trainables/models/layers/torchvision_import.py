"""Imports torchvision: data sets, reference models and transforms. Other files import it from here.

With a CPU build of torch, a torchvision built for CUDA cannot load its operators, and its import fails at the first
operator that it looks up. Data sets, classification models and transforms do not use these operators, so declaring them
is enough. If torchvision can be imported as it is, nothing is changed.
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
    # The declarations live as long as this object.
    _declarations = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    _declarations.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _declarations.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    import torchvision

from torchvision import datasets, models
from torchvision.transforms import v2 as transforms

__all__ = ["datasets", "models", "torchvision", "transforms"]
