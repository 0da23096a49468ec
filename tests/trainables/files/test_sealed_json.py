"""Records that tell when a bit of them has changed."""

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
def test_what_is_sealed_is_read_by_us_and_by_any_reader_of_json(record) -> None:
    line = seal(record)
    assert b"\n" not in line
    assert unseal(line) == record
    assert json.loads(line).items() >= record.items()


@pytest.mark.fault(19)
@pytest.mark.parametrize("record", RECORDS)
def test_whatever_bit_is_flipped_no_other_record_is_read(record) -> None:
    line = seal(record)
    for place in range(8 * len(line)):
        flipped = bytearray(line)
        flipped[place // 8] ^= 1 << place % 8
        assert unseal(bytes(flipped)) in (None, record)
        if place < 8 * (len(line) - 2):  # the last two close the line
            assert is_damaged(bytes(flipped))


@pytest.mark.fault(18)
@pytest.mark.parametrize("record", RECORDS)
def test_a_line_that_was_cut_off_is_whole_or_nothing_and_not_called_damaged(record) -> None:
    line = seal(record)
    for length in range(len(line)):
        assert unseal(line[:length]) in (None, record)
    assert not any(is_damaged(line[:length]) for length in range(len(line)) if not line[:length].endswith(b'"}'))
    assert not is_damaged(b"")
