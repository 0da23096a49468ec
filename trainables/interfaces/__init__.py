"""What a method, a model and a data set are; every part in its own file implements one of these.

A part is a frozen pydantic model: its fields are its options in a study file. Parts must be importable without torch,
for study files are checked before torch is loaded; tensors are used through their own methods, and whatever needs torch
itself (layers, transforms) is imported inside the function that builds it.
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
