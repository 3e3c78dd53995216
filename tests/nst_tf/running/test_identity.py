"""What two runs must share: equal facts pass, others are named with their values."""

from pathlib import Path

import numpy as np
import pytest

from nst_tf import InputError
from nst_tf.running.identity import RunIdentity, hash_arrays

FACTS = {"settings": {"steps": 12, "layers": ["a", "b"]}, "images": "e" * 64}
STATE = Path("state.npz")


def test_equal_facts_are_one_run_tuples_and_lists_alike():
    mine = {"settings": {"steps": 12, "layers": ("a", "b")}, "images": "e" * 64}
    RunIdentity(mine).check(FACTS, STATE)


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ({"settings": {"steps": 2}}, r"settings\.steps \(there 2, now 12\)"),
        ({"settings": {"layers": []}}, r"settings\.layers \(there \[\], now \['a',"),
        ({"images": "f" * 64}, r"differs in images; start anew$"),
    ],
)
def test_what_differs_is_named_with_short_values(theirs, told):
    other = {**FACTS, **theirs}
    if "settings" in theirs:
        other["settings"] = {**FACTS["settings"], **theirs["settings"]}
    with pytest.raises(InputError, match=told):
        RunIdentity(FACTS, hint="; start anew").check(other, STATE)


def test_a_fact_that_only_one_run_has_differs_even_if_it_is_none():
    with pytest.raises(InputError, match=r"state\.npz belongs to another run.* base"):
        RunIdentity({**FACTS, "base": None}).check(FACTS, STATE)
    with pytest.raises(InputError, match="differs in more"):
        RunIdentity(FACTS).check({**FACTS, "more": 1}, STATE)


def test_a_hash_tells_values_shapes_and_order_but_not_memory_layout():
    one, other = np.arange(6.0).reshape(2, 3), np.ones(3)
    found = {
        hash_arrays(arrays)
        for arrays in ([one, other], [other, one], [one.reshape(3, 2), other])
    }
    assert len(found) == 3
    assert hash_arrays([np.asfortranarray(one)]) == hash_arrays([one])
