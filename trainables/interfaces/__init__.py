"""Base classes of methods, models and data sets; each part implements one of them in its own file.

A part is a frozen pydantic model whose fields are its options in a study file. Parts must be importable without torch,
because study files are checked before torch is loaded: use tensors through their methods, and import torch inside the
functions that need it.
"""

from trainables.interfaces.dataset import Dataset, LabelledImages, StoredData, TestAccess
from trainables.interfaces.dataset_options import Augmentation, Counts, ResizedCrop, Subset, ValidationSplit
from trainables.interfaces.method import PROGRESS, Batch, Forward, LossTerms, Method, Mixing, Outputs, Teacher, View
from trainables.interfaces.model import Model
from trainables.interfaces.part import Options, Part

__all__ = [
    "PROGRESS",
    "Augmentation",
    "Batch",
    "Counts",
    "Dataset",
    "Forward",
    "LabelledImages",
    "LossTerms",
    "Method",
    "Mixing",
    "Model",
    "Options",
    "Outputs",
    "Part",
    "ResizedCrop",
    "StoredData",
    "Subset",
    "Teacher",
    "TestAccess",
    "ValidationSplit",
    "View",
]
