"""Which worker this is: by flags, and by the variables of launchers."""

import pytest

from nst_tf import InputError
from nst_training.workers.place import Place, place_of
from nst_training.workers.share import Share

SLURM = {
    "SLURM_JOB_ID": "4100",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_JOB_NODELIST": "n[007-010]",
}


@pytest.mark.parametrize(
    ("hosts", "rank", "variables", "place"),
    [
        ("a:1,b:2,c:3", 2, {}, Place(Share(2, 3), "a", 1)),
        ("[::1]:7,x:1", 0, {}, Place(Share(0, 2), "::1", 7)),
        ("a:1,b:1", None, {"SLURM_PROCID": "1"}, Place(Share(1, 2), "a", 1)),
        ("auto", None, SLURM, Place(Share(2, 4), "n007", 61444)),
        (
            "auto",
            None,
            {**SLURM, "SLURM_STEP_NODELIST": "gpu3,gpu[4-5]"},
            Place(Share(2, 4), "gpu3", 61444),
        ),
        (
            "auto",
            None,
            {
                "JAX_COORDINATOR_ADDRESS": "job-0.net:8000",
                "NUM_PROCESSES": "8",
                "JOB_COMPLETION_INDEX": "5",
            },
            Place(Share(5, 8), "job-0.net", 8000),
        ),
        (
            "auto",
            None,
            {
                "KERAS_DISTRIBUTION_JOB_ADDRESSES": "a:1,b:1",
                "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
                "KERAS_DISTRIBUTION_PROCESS_ID": "1",
            },
            Place(Share(1, 2), "a", 1),
        ),
    ],
)
def test_a_place_is_found(hosts, rank, variables, place):
    assert place_of(hosts, rank, variables) == place


@pytest.mark.parametrize(
    ("hosts", "rank", "variables", "message"),
    [
        ("auto", 0, {}, "no launcher has set"),
        ("", 0, {}, "no launcher has set"),
        ("a:1,b:1", None, {}, "give --rank 0 to 1"),
        ("a:1,b:1", 2, {}, "must be 0 to 1, got 2"),
        ("a:1,b:1", -1, {}, "must be 0 to 1, got -1"),
        ("a,b", 0, {}, "HOST:PORT, got a"),
        ("a:0", 0, {}, "HOST:PORT, got a:0"),
        ("a:99999", 0, {}, "HOST:PORT, got a:99999"),
        ("a:²", 0, {}, "HOST:PORT, got a:²"),
        ("a:1", None, {"SLURM_PROCID": "x"}, "SLURM_PROCID must be a number"),
    ],
)
def test_what_is_no_place_is_said(hosts, rank, variables, message):
    with pytest.raises(InputError, match=message):
        place_of(hosts, rank, variables)


def test_shares_are_all_of_a_batch_in_order():
    slots = [slot for rank in range(3) for slot in Share(rank, 3).slots(12)]
    assert slots == list(range(12))
