"""ImageNet: the 1,000 classes of ILSVRC 2012."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from trainables.errors import DataError
from trainables.interfaces import Counts, ValidationSplit
from trainables.preparation.archives import PublishedFile
from trainables.preparation.prepared_dataset import PreparedDataset, read_lines

if TYPE_CHECKING:
    from trainables.preparation.recipes import Listing

URL = "https://image-net.org/data/ILSVRC/2012"
DEVKIT = "ILSVRC2012_devkit_t12/data"


class Imagenet(PreparedDataset):
    """1,281,167 training and 50,000 test photographs of 1,000 classes (Russakovsky et al. 2015).

    The published validation images serve as the test part, because the test images have no labels. Labels are positions
    in the sorted list of WordNet class identifiers. Downloading the archives needs an account at image-net.org; put
    them into the data set's folder or pass them with ``--archive``. The prepared file takes about 330 GB; it stays on
    disk, and crops are made on the CPU.
    """

    files: ClassVar[tuple[PublishedFile, ...]] = (
        PublishedFile(
            "ILSVRC2012_img_train.tar",
            f"{URL}/ILSVRC2012_img_train.tar",
            md5="1d675b47d978889d74fa0da5fadfb00e",
            into="train",
        ),
        PublishedFile(
            "ILSVRC2012_img_val.tar",
            f"{URL}/ILSVRC2012_img_val.tar",
            md5="29b22e2961454d5413ddabcf34fc5622",
            into="val",
        ),
        PublishedFile(
            "ILSVRC2012_devkit_t12.tar.gz",
            f"{URL}/ILSVRC2012_devkit_t12.tar.gz",
            md5="fa75699e90414af021442c21a62c3abf",
        ),
    )
    published: ClassVar[Counts] = Counts(classes=1000, train=1_281_167, test=50_000)

    validation: ValidationSplit = ValidationSplit(per_class=50)

    @classmethod
    def listing(cls, folder: Path) -> Listing:
        """Lists training images by folder, and test images by the development kit's list of labels.

        Raises:
            DataError: A file of the development kit is missing or damaged, or its list does not match the images.
        """
        from trainables.preparation.recipes import Listing

        classes = tuple(sorted(path.name for path in (folder / "train").iterdir() if path.is_dir()))
        labels = {wnid: label for label, wnid in enumerate(classes)}
        train = [
            (f"train/{wnid}/{path.name}", label)
            for wnid, label in labels.items()
            for path in sorted((folder / "train" / wnid).iterdir())
        ]
        identifiers = _identifiers(folder / DEVKIT / "meta.mat")
        label_list = folder / DEVKIT / "ILSVRC2012_validation_ground_truth.txt"
        wnids = [identifiers.get(line, line) for line in read_lines(label_list)]
        images = sorted(path.name for path in (folder / "val").iterdir())
        if len(images) != len(wnids) or not labels.keys() >= set(wnids):
            raise DataError(
                f"{label_list} lists {len(wnids)} labels that do not match {len(images)} images and their classes"
            )
        return Listing(
            classes, train, [(f"val/{name}", labels[wnid]) for name, wnid in zip(images, wnids, strict=True)]
        )


def _identifiers(path: Path) -> dict[str, str]:
    """Returns the WordNet identifier of each ILSVRC number, for classes without subclasses."""
    from scipy.io import loadmat

    try:
        synsets: Any = loadmat(path, squeeze_me=True)["synsets"].reshape(-1)
        leaves = [row for row in synsets if int(row["num_children"]) == 0]
        return {str(int(row["ILSVRC2012_ID"])): str(row["WNID"]) for row in leaves}
    except Exception as error:  # SciPy raises many types of errors for damaged files
        raise DataError(f"{path} cannot be read ({error}); fetch the development kit again") from error
