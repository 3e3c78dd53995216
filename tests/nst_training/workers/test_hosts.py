"""`nst train --hosts`: several processes train as one, also after one is killed."""

import numpy as np
import pytest

from tests.nst_training.workers import together

pytest.importorskip("jax")


@pytest.fixture(scope="module")
def place(tmp_path_factory, vgg_file):
    """A folder with what is trained on, and the environment."""
    folder = tmp_path_factory.mktemp("together")
    return folder, together.prepared(folder, vgg_file)


@pytest.fixture(scope="module")
def one(place):
    folder, environment = place
    together.ended([together.start(folder, "one", environment)])
    return folder / "one"


@pytest.fixture(scope="module")
def two(place):
    folder, environment = place
    together.ended(together.start_all(folder, "two", environment, 2))
    return folder / "two"


def assert_equal_runs(found, expected):
    together.assert_close(together.model(found), together.model(expected))
    steps, others = together.log(found), together.log(expected)
    assert [line["step"] for line in steps] == list(range(1, 11))
    assert steps[0]["loss"] != steps[-1]["loss"]
    for line, other in zip(steps, others, strict=True):
        assert line.keys() == other.keys()
        for name, value in line.items():
            np.testing.assert_allclose(value, other[name], rtol=1e-3, err_msg=name)
    (event,) = [line for line in together.lines(found) if line.get("event") == "broken"]
    assert "broken.jpg" in event["why"]


def test_two_processes_train_as_one(one, two):
    assert_equal_runs(two, one)
    assert sorted(path.name for path in two.iterdir()) == [
        *("log.jsonl", "model.json", "model.keras"),
    ]


@pytest.mark.slow
def test_four_processes_train_as_one(place, one):
    folder, environment = place
    together.ended(together.start_all(folder, "four", environment, 4))
    assert_equal_runs(folder / "four", one)


@pytest.mark.slow
def test_a_killed_worker_ends_all_and_resume_gives_the_bits(place, two):
    folder, environment = place
    out, rank = folder / "killed", 0  # The one that the others meet at.
    flags = ("--checkpoint-every", "3")
    workers = together.start_all(folder, out.name, environment, 2, *flags)
    together.wait_for_step(out / "log.jsonl", 4, workers)
    together.kill(workers[rank].pid)
    codes = [-9 if k == rank else 75 for k in (0, 1)]
    said = together.ended(workers, codes)[1 - rank]
    assert f"worker {rank} is gone. Start all workers again with --resume" in said
    assert (out / "state.npz").exists()
    together.ended(
        together.start_all(folder, out.name, environment, 2, *flags, "--resume")
    )
    together.assert_same_bits(together.model(out), together.model(two))
    assert together.log(out) == together.log(two)


@pytest.mark.slow
def test_a_batch_that_the_devices_do_not_divide_is_refused(place):
    folder, environment = place
    environment = {
        **environment,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=3",
    }
    processes = together.start_all(folder, "odd", environment, 2)
    for said in together.ended(processes, [2, 2]):
        assert "batch must be a multiple of the 6 devices" in said
    assert not (folder / "odd").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "changes", "message"),
    [
        (("--batch", "3"), {}, "batch must be a multiple of the 2 workers"),
        ((), {"KERAS_BACKEND": "tensorflow"}, "needs Keras on JAX, not on tensorflow"),
        (("--wait", "1"), {}, "nothing answers at"),
        (("--ray",), {}, "give --hosts or --ray"),
        (("--photos", "memory://none"), {}, "there is no file or folder memory://none"),
    ],
)
def test_what_can_not_be_done_together_is_said(place, flags, changes, message):
    folder, environment = place
    hosts = ("--hosts", "127.0.0.1:9,127.0.0.1:9", "--rank", "1")
    if "--photos" in flags:
        hosts = ("--hosts", "127.0.0.1:40967", "--rank", "0")
    process = together.start(folder, "no", {**environment, **changes}, *hosts, *flags)
    (said,) = together.ended([process], [2])
    assert message in said
    assert "Traceback" not in said
    assert not (folder / "no").exists()
