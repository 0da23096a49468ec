"""Stanford Dogs: photographs of 120 breeds of dogs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from trainables.errors import DataError
from trainables.interfaces import Counts, ValidationSplit
from trainables.preparation.archives import PublishedFile
from trainables.preparation.prepared_dataset import PreparedDataset, refuse_outside

if TYPE_CHECKING:
    from trainables.preparation.recipes import Listing

URL = "http://vision.stanford.edu/aditya86/ImageNetDogs"


class StanfordDogs(PreparedDataset):
    """12,000 training and 8,580 test photographs of 120 breeds of dogs (Khosla et al. 2011).

    Lists and labels are MATLAB files with nested one-element arrays and labels from 1. The images are from ImageNet;
    one is a PNG file with the extension .jpg. Bounding boxes are not used.
    """

    files: ClassVar[tuple[PublishedFile, ...]] = (
        PublishedFile(
            "images.tar",
            f"{URL}/images.tar",
            size=793_579_520,
            md5="1bb1f2a596ae7057f99d7d75860002ef",
            sha256="a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58",
        ),
        PublishedFile(
            "lists.tar",
            f"{URL}/lists.tar",
            md5="edbb9f16854ec66506b5f09b583e0656",
            sha256="34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c",
        ),
    )
    published: ClassVar[Counts] = Counts(classes=120, train=12_000, test=8_580)

    validation: ValidationSplit = ValidationSplit(per_class=10)

    @classmethod
    def listing(cls, folder: Path) -> Listing:
        """Lists files and labels in the order of the published lists.

        Raises:
            DataError: A list is missing or damaged, or a breed has two labels.
        """
        from trainables.preparation.recipes import Listing

        train, test = (_rows(folder / f"{part}_list.mat") for part in ("train", "test"))
        breeds = {label: name.partition("/")[0] for name, label in [*train, *test]}
        if mislabelled := [name for name, label in [*train, *test] if name.partition("/")[0] != breeds[label]]:
            raise DataError(f"{folder}: {mislabelled[0]} has the label of another breed in the published lists")
        if sorted(breeds) != list(range(len(breeds))):
            raise DataError(f"{folder}: the labels in the published lists are not consecutive")
        paths = [[(f"Images/{name}", label) for name, label in rows] for rows in (train, test)]
        return Listing(tuple(breeds[label] for label in sorted(breeds)), paths[0], paths[1])


def _rows(path: Path) -> list[tuple[str, int]]:
    from scipy.io import loadmat

    try:
        content = loadmat(path)
        names = [str(_only(entry)) for entry in content["file_list"].reshape(-1)]
        labels = [int(_only(entry)) - 1 for entry in content["labels"].reshape(-1)]
    except Exception as error:  # SciPy raises many types of errors for damaged files
        raise DataError(f"{path} cannot be read ({error}); fetch lists.tar again") from error
    refuse_outside(names, path)
    if len(names) != len(labels):
        raise DataError(f"{path} contains {len(names)} names and {len(labels)} labels; fetch lists.tar again")
    return list(zip(names, labels, strict=True))


def _only(value: Any) -> Any:
    """Returns the element of nested one-element arrays."""
    while hasattr(value, "reshape") and value.shape:
        (value,) = value.reshape(-1)
    return value
