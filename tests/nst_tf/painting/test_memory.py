"""What a run needs in memory, planned before it starts."""

import dataclasses

import pytest

from nst_tf import InputError, OptimizeSettings
from nst_tf.painting.memory import Need, measuring_tile, plan_memory
from nst_tf.settings.checks import parse_memory

BACKENDS = ("tensorflow", "jax")


def test_memory_is_a_number_and_a_unit():
    assert parse_memory("4GB") == 4_000_000_000
    assert parse_memory("3.5 GiB") == 3758096384
    assert parse_memory("800mb") == 800_000_000
    for text in ("4", "GB", "-1GB", "0GB", "4 TB"):
        with pytest.raises(InputError, match="number and a unit"):
            OptimizeSettings(memory=text)


def plan(size, memory, *, backend="tensorflow", **values):
    settings = OptimizeSettings(memory=memory, **values)
    needs = [Need(size, [(512, 512)], settings.loss)]
    return plan_memory(needs, settings, "bfloat16", backend=backend)


def test_without_a_limit_nothing_is_tiled():
    found = plan((4096, 3072), None)
    assert found.stages[0].tile is None
    assert (found.history, found.history_dtype) == (20, "float32")


def test_a_plan_stays_below_its_limit_and_uses_it():
    for memory in ("4GB", "6GB", "12GB"):
        found = plan((4096, 3072), memory).stages[0]
        assert 0.85 * parse_memory(memory) < found.peak <= parse_memory(memory)
        assert found.tiles >= (4096 / found.tile) * (3072 / found.tile) - 1


def test_history_shrinks_before_tiles_become_inefficient():
    assert plan((4096, 3072), "16GB").history == 20
    small = plan((4096, 3072), "4GB")
    assert small.history < 20
    assert small.history_dtype == "bfloat16"
    assert small.stages[0].tile >= 384


def test_the_colours_of_a_photograph_of_which_luminance_is_painted_count():
    grey, both = (
        plan((4096, 3072), None, color=color).stages[0].peak
        for color in ("luminance", "off")
    )
    held = 4096 * 3072 * 4 * (3 + 2)  # Red, green, blue; least and most luminance.
    assert held <= grey - both < 1.5 * held


def least_limit(size, **values):
    """Return the limit that the refusal of a smaller one names."""
    with pytest.raises(InputError, match="the least that works is") as caught:
        plan(size, "1GB", **values)
    return str(caught.value).rsplit(" ", 1)[1]


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("size", [(4096, 3072), (1024, 768), (320, 240)])
def test_a_finished_run_is_measured_in_whatever_memory_it_took(size, optimizer):
    least = least_limit(size, optimizer=optimizer)
    settings = OptimizeSettings(memory=least, optimizer=optimizer)
    need = Need(size, [(512, 512)], settings.loss)
    # In float32, where the run itself was planned in bfloat16.
    assert measuring_tile(need, settings, "float32") >= 64
    free = dataclasses.replace(settings, memory=None)
    assert measuring_tile(need, free, "float32") is None


def test_the_least_limit_that_is_named_works_and_less_does_not():
    least = least_limit((4096, 3072))
    assert plan((4096, 3072), least).stages[0].peak <= parse_memory(least)
    with pytest.raises(InputError):
        plan((4096, 3072), f"{parse_memory(least) / 1e9 - 0.1:.1f}GB")


def test_on_jax_a_plan_counts_more():
    whole = [plan((1024, 768), None, backend=name) for name in BACKENDS]
    tensorflow, jax = (found.stages[0].peak for found in whole)
    assert 1.15 < jax / tensorflow < 1.6
    tiled = [plan((2048, 1536), "6GB", backend=name).stages[0] for name in BACKENDS]
    assert tiled[1].tile < (tiled[0].tile or 2048)
    assert tiled[1].peak <= 6e9
