"""JSON records with a checksum."""

import json
import math

import pytest

from trainables.files.sealed_json import is_damaged, seal, unseal

RECORDS = [
    {},
    {"epoch": 1, "metrics": {"validation/top1_error": 0.1 + 0.2, "nll": math.inf}},
    {"error": 'said ,"crc32":"00000000"} and\nü'},
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_sealed_record_is_valid_json_and_unseals_to_itself(record) -> None:
    line = seal(record)
    assert b"\n" not in line
    assert unseal(line) == record
    assert json.loads(line).items() >= record.items()


@pytest.mark.fault(19)
@pytest.mark.parametrize("record", RECORDS)
def test_a_flipped_bit_never_yields_another_record(record) -> None:
    line = seal(record)
    for place in range(8 * len(line)):
        flipped = bytearray(line)
        flipped[place // 8] ^= 1 << place % 8
        assert unseal(bytes(flipped)) in (None, record)
        if place < 8 * (len(line) - 2):  # the last two bytes close the JSON object
            assert is_damaged(bytes(flipped))


@pytest.mark.fault(18)
@pytest.mark.parametrize("record", RECORDS)
def test_a_truncated_line_is_ignored_and_not_called_damaged(record) -> None:
    line = seal(record)
    for length in range(len(line)):
        assert unseal(line[:length]) in (None, record)
    assert not any(is_damaged(line[:length]) for length in range(len(line)) if not line[:length].endswith(b'"}'))
    assert not is_damaged(b"")
