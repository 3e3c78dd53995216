"""Damaged image files: a tenth of what scripts/fuzz_images.py tries."""

import time

import pytest

from scripts import fuzz_images as fuzz


@pytest.mark.parametrize("part", range(10))
def test_a_damaged_file_is_read_or_refused_within_seconds(part):
    for number, (name, data) in enumerate(fuzz.cases(300, seed=22)):
        if number % 10 == part:
            start = time.monotonic()
            try:
                fuzz.check(data)
            except Exception as error:
                raise AssertionError(name) from error
            assert time.monotonic() - start < fuzz.LIMIT, name
