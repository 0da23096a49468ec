"""Whether data, split and code of a study are what it began with, so that its trials can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from study.errors import StudyDirectoryError
from study.state import provenance
from study.state.attribute_names import StudyAttribute
from trainables.batches.splits import data_digest, split_training

if TYPE_CHECKING:
    from study.definition.study_config import StudyConfig
    from study.state.directory import Study
    from trainables.batches.splits import Split
    from trainables.interfaces import LabelledImages


def check_data(config: StudyConfig) -> dict[StudyAttribute, str]:
    """Reads the training part and checks that model and split fit it.

    Returns:
        Digests of the data and of the validation split.

    Raises:
        DataError: The data is missing, damaged or unfit for class pairs.
        ConfigError: The model takes images of another size.
        CheckpointError: A trained teacher is missing, damaged, or of other classes.
    """
    images, split = _checked(config)
    return {StudyAttribute.SPLIT_DIGEST: split.digest, StudyAttribute.DATA_DIGEST: data_digest(images)}


def describe_data(config: StudyConfig) -> dict[str, Any]:
    """``check_data`` with the number of classes, of images to train on and of validation images; ready for JSON.

    Raises:
        CskdError: As ``check_data``.
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


def allow_changes(study: Study, *, allow_changed: bool) -> list[str]:
    """What has changed since the study began, where the user lets it pass.

    Raises:
        StudyDirectoryError: Something has changed, or may have, and the user has not said so.
    """
    changed = []
    if provenance.is_damaged(study.directory):
        if not allow_changed:
            raise StudyDirectoryError(
                f"{study.directory / provenance.FILE_NAME}: a line is damaged, so it does not tell whether the code is "
                "what the study began with; give --allow-changed to go on all the same"
            )
        changed.append("code")
    launch_note = next(iter(provenance.notes(study.directory)), None)
    if not changed and launch_note is not None and launch_note["digests"]["code"] != provenance.code_digest():
        changed.append("code")
    for key, now in check_data(study.config).items():
        began = study.store.attribute(key)
        if began is None:  # killed before it was noted
            study.store.set_study_attribute(key, now)
        elif began != now:
            changed.append("data" if key == StudyAttribute.DATA_DIGEST else "validation split")
    if changed and not allow_changed:
        raise StudyDirectoryError(
            f"{study.directory}: {' and '.join(changed)} changed since the study began, so its trials would not be "
            "comparable; go back to what it began with, or give --allow-changed"
        )
    return changed
