"""Runs that would not fit into the memory that is free."""

import dataclasses

import numpy as np
import pytest

from nst_tf.cli import main
from nst_tf.commands import within
from nst_tf.commands.within import within_memory
from nst_tf.imaging.guides import everywhere
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.painting.schedule import plan_passes
from nst_tf.running.checkpoint import save_checkpoint
from nst_tf.settings.checks import InputError, parse_memory
from nst_tf.settings.optimize import OptimizeSettings
from tests.helpers import scene

GB = 10**9
LARGE = OptimizeSettings(size=4096)


@pytest.fixture
def free(monkeypatch):
    """Return what sets how much memory is free."""
    monkeypatch.setattr(within, "has_gpu_driver", lambda: False)

    def leave(size):
        monkeypatch.setattr(within, "free_memory", lambda: size)

    return leave


def kept_within(settings, *, state=None):
    passes = plan_passes((1600, 1200), [(800, 600)], settings)
    regions = everywhere(1, (1.0,))
    return within_memory(settings, passes, regions, state=state, quiet=False)


def test_what_fits_stays_as_it_is(free, capsys):
    free(1000 * GB)
    assert kept_within(LARGE) == LARGE
    assert capsys.readouterr().err == ""


def test_what_does_not_is_kept_to_what_is_free(free, capsys):
    free(8 * GB)
    assert kept_within(LARGE) == dataclasses.replace(LARGE, memory="7.2GB")
    said = capsys.readouterr().err
    assert said.startswith("4096x3072 as a whole would take about ")
    assert said.endswith("8.0 GB are free: working with --memory 7.2GB\n")


def test_what_can_not_fit_in_any_tiles_is_refused(free):
    free(8 * GB)
    huge = OptimizeSettings(size=100_000)
    with pytest.raises(InputError, match=r"even in tiles it takes \d+.* GB\. Choose a"):
        kept_within(huge)


def test_what_nearly_fits_is_worked_on_as_a_whole(free):
    """Small tiles take 20 times as long, and the model is careful."""
    peak = max(stage.peak for stage in plan(LARGE).stages)
    free(int(0.91 * peak))
    assert kept_within(LARGE) == LARGE
    free(int(0.89 * peak))
    assert kept_within(LARGE).memory is not None


def test_a_limit_that_is_given_is_kept_to(free):
    free(GB)
    given = dataclasses.replace(LARGE, memory="6GB")
    assert kept_within(given) == given


def test_the_least_is_tried_where_it_is_more_than_is_free(free, capsys):
    free(GB)
    memory = kept_within(LARGE).memory
    said = capsys.readouterr().err
    assert f"--memory {memory}, the least that it can" in said
    free(parse_memory(memory))
    assert kept_within(LARGE).memory == memory
    lower = f"{parse_memory(memory) / GB - 0.1:g}GB"
    with pytest.raises(InputError, match=f"the least that works is {memory}"):
        plan(dataclasses.replace(LARGE, memory=lower))


def plan(settings):
    from nst_tf.painting.memory import need_of, plan_memory

    passes = plan_passes((1600, 1200), [(800, 600)], settings)
    needs = [need_of(stage, everywhere(1, (1.0,))) for stage in passes]
    dtype = within.cpu_precision("auto", within.keras_backend())
    return plan_memory(needs, settings, dtype)


def test_a_gpus_memory_is_not_known(free, monkeypatch):
    free(GB)
    monkeypatch.setattr(within, "has_gpu_driver", lambda: True)
    assert kept_within(LARGE) == LARGE


@pytest.mark.parametrize("memory", [None, "5GB"])
def test_a_resumed_run_keeps_the_limit_that_it_began_with(
    free, tmp_path, capsys, memory
):
    free(8 * GB)
    state = tmp_path / "state.npz"
    save_checkpoint(state, {"identity": {"settings": {"memory": memory}}}, [])
    assert kept_within(LARGE, state=state).memory == memory
    said = capsys.readouterr().err
    assert ("begin it anew with --memory 7.2GB\n" in said) == (memory is None)
    free(1000 * GB)
    kept_within(LARGE, state=state)
    assert capsys.readouterr().err == ""


def test_a_picture_is_painted_in_what_there_is(free, tmp_path, capsys):
    free(GB)
    save_image(tmp_path / "photo.png", scene(72, 96))
    save_image(tmp_path / "painting.png", scene(72, 96, seed=2))
    files = [str(tmp_path / name) for name in ("photo.png", "painting.png")]
    words = ["--size", "96", "--scales", "1", "--steps", "2", "--style-weight", "4"]
    painted = []
    for name in ("scarce.png", "enough.png"):
        path = tmp_path / name
        assert main(["optimize", *files, "-o", str(path), *words]) == 0
        painted.append(load_image(path).pixels)
        free(1000 * GB)
    assert "96x72 as a whole would take" in capsys.readouterr().err
    # In tiles of 64 the sums are rounded otherwise.
    np.testing.assert_allclose(painted[0], painted[1], atol=0.02)
