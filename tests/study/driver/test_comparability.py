"""Whether a study may be resumed, given its provenance."""

import pytest

from study.driver.comparability import allow_changes
from study.errors import StudyDirectoryError
from study.state import provenance
from study.state.reuse import Reuse


def test_a_damaged_provenance_line_counts_as_a_change_of_code(new_study):
    study = new_study()
    for _ in range(2):
        provenance.note(study.directory, "launch", study.config.digest(), [])
    assert allow_changes(study, allow_changed=False) == []
    path = study.directory / provenance.FILE_NAME
    path.write_bytes(path.read_bytes().replace(b'"action":"launch"', b'"action":"lbunch"', 1))
    assert len(provenance.notes(study.directory)) == 1
    with pytest.raises(StudyDirectoryError, match=r"provenance\.jsonl: a line is damaged.*--allow-changed"):
        allow_changes(study, allow_changed=False)
    assert allow_changes(study, allow_changed=True) == ["code"]
    assert not Reuse(study)._has_same_code(study.directory)


def test_a_line_truncated_by_a_kill_is_not_damage(new_study):
    study = new_study()
    provenance.note(study.directory, "launch", study.config.digest(), [])
    with (study.directory / provenance.FILE_NAME).open("ab") as file:
        file.write(b'{"time":1.0,"act')
    assert allow_changes(study, allow_changed=False) == []
