"""Checks that a study's data, split and code are unchanged since it began, so that its trials are comparable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from study.errors import StudyDirectoryError
from study.state import provenance
from study.state.attribute_names import StudyAttribute
from trainables.batches.splits import data_digest, split_training

if TYPE_CHECKING:
    from study.definition.study_config import StudyConfig
    from study.state.directory import OpenStudy
    from trainables.batches.splits import Split
    from trainables.interfaces import LabelledImages


def check_data(config: StudyConfig) -> dict[StudyAttribute, str]:
    """Reads the training images and checks that the model and the split fit them.

    Returns:
        Digests of the data and of the validation split.

    Raises:
        DataError: The data is missing, damaged or unsuitable for class pairs.
        ConfigError: The model takes images of another size.
        CheckpointError: A trained teacher is missing, damaged, or has other classes.
    """
    images, split = _checked(config)
    return {StudyAttribute.SPLIT_DIGEST: split.digest, StudyAttribute.DATA_DIGEST: data_digest(images)}


def describe_data(config: StudyConfig) -> dict[str, Any]:
    """Checks the data as ``check_data`` does and describes it for JSON.

    Returns:
        Numbers of classes, training images and validation images, and the digests of split and data.

    Raises:
        CskdError: See ``check_data``.
    """
    images, split = _checked(config)
    return {
        "classes": len(images.classes),
        "training_images": len(split.train),
        "validation_images": len(split.validation),
        "split_digest": split.digest,
        "data_digest": data_digest(images),
    }


def _checked(config: StudyConfig) -> tuple[LabelledImages, Split]:
    images = config.dataset.training_images()
    size = config.dataset.image_size(images)
    config.model.check_images(*size)
    for method in (config.method, *(config.control_config(number).method for number in range(len(config.controls)))):
        if method.pretrained() is not None:
            from trainables.training.pretrained import check_teacher

            check_teacher(method, images.classes, size)
    return images, split_training(images, config.dataset.validation)


def allow_changes(study: OpenStudy, *, allow_changed: bool) -> list[str]:
    """Returns what has changed since the study began: ``code``, ``data`` or ``validation split``.

    Args:
        study: An open study.
        allow_changed: Whether the user accepts changes.

    Raises:
        StudyDirectoryError: Something has changed, or may have, and ``allow_changed`` is false.
    """
    changed = []
    if provenance.is_damaged(study.directory):
        if not allow_changed:
            raise StudyDirectoryError(
                f"{study.directory / provenance.FILE_NAME}: a line is damaged, so it is unknown whether the code has "
                "changed since the study began; give --allow-changed to continue anyway"
            )
        changed.append("code")
    launch_note = next(iter(provenance.notes(study.directory)), None)
    if not changed and launch_note is not None and launch_note["digests"]["code"] != provenance.code_digest():
        changed.append("code")
    for key, now in check_data(study.config).items():
        began = study.store.attribute(key)
        if began is None:  # the driver was killed before it stored the digest
            study.store.set_study_attribute(key, now)
        elif began != now:
            changed.append("data" if key == StudyAttribute.DATA_DIGEST else "validation split")
    if changed and not allow_changed:
        raise StudyDirectoryError(
            f"{study.directory}: {' and '.join(changed)} changed since the study began, so its trials would not be "
            "comparable; restore the original, or give --allow-changed"
        )
    return changed
