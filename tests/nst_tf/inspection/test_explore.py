"""`nst explore`: every cell is a picture that its flags make again."""

import shlex
import signal

import numpy as np
import pytest

from nst_tf import InputError, OptimizeSettings
from nst_tf.cli import main
from nst_tf.imaging.metadata import read_settings
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import to_bytes
from nst_tf.inspection.explore import plan_trials

SMALL = ["--size", "48", "--steps", "3", "--quiet"]


def test_the_trials_are_all_combinations_strengths_across():
    base = OptimizeSettings(size=64)
    trials = plan_trials(base, (0.2, 0.8), (0.5, 1.0), ("gram", "wasserstein"))
    assert [trial[:3] for trial in trials[:3]] == [
        (0.2, 0.5, "gram"),
        (0.8, 0.5, "gram"),
        (0.2, 1.0, "gram"),
    ]
    assert len({trial[:3] for trial in trials}) == len(trials) == 8
    for trial in trials:
        assert trial.settings.size == 64
        assert trial.settings.style_scale == trial.style_scale
        assert trial.settings.loss.strength == trial.strength
        assert trial.settings.loss.style_loss == trial.style_loss


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (((), (1.0,), ("gram",)), "strengths must be different values, one or more"),
        (((0.5,), (1.0, 1.0), ("gram",)), "style_scales must be different values"),
        (((1.5,), (1.0,), ("gram",)), r"strength must be in 0\.\.1, got 1.5"),
        (((0.5,), (0.0,), ("gram",)), "style_scale must exceed 0, got 0"),
    ],
)
def test_axes_that_make_no_sense_are_refused(axes, message):
    with pytest.raises(InputError, match=message):
        plan_trials(OptimizeSettings(), *axes)


@pytest.mark.usefixtures("bare")
def test_the_flags_of_a_cell_make_its_picture_again(pair, tmp_path):
    sheet, again = tmp_path / "sheet.png", tmp_path / "again.png"
    axes = ["--strengths", "0.2", "0.9", "--style-scales", "1"]
    axes += ["--style-losses", "mean-variance"]
    command = ["explore", *map(str, pair), "-o", str(sheet)]
    assert main([*command, *SMALL, *axes]) == 0
    cells = read_settings(sheet)["cells"]
    assert [cell.split("--strength ")[1][:3] for cell in cells] == ["0.2", "0.9"]
    command = ["optimize", *map(str, pair), "-o", str(again), "--quiet"]
    assert main([*command, *shlex.split(cells[1])]) == 0
    wanted = to_bytes(load_image(again).pixels)
    height, width = wanted.shape[:2]
    shown = to_bytes(load_image(sheet).pixels)
    found = [
        (y, x)
        for y in range(shown.shape[0] - height + 1)
        for x in range(shown.shape[1] - width + 1)
        if (shown[y, x] == wanted[0, 0]).all()
        and np.array_equal(shown[y : y + height, x : x + width], wanted)
    ]
    assert len(found) == 1
    assert found[0][1] > width  # The second cell of the row.


def test_a_strength_out_of_range_is_an_error_of_one_line(pair, tmp_path, capsys):
    command = ["explore", *map(str, pair), "-o", str(tmp_path / "s.png"), *SMALL]
    assert main([*command, "--strengths", "2"]) == 2
    assert "strength must be in 0..1, got 2" in capsys.readouterr().err
    assert not (tmp_path / "s.png").exists()


def test_a_run_that_is_stopped_says_so(pair, tmp_path, capsys, monkeypatch):
    told = []

    def interrupt(loss):  # It is called at every step, to tell the loss.
        told.append(loss)
        if len(told) == 4:
            signal.raise_signal(signal.SIGINT)
        return ""

    monkeypatch.setattr("nst_tf.commands.console.short", interrupt)
    out = tmp_path / "s.png"
    flags = [
        "--strengths",
        "0.5",
        "0.6",
        "--style-scales",
        "1",
        "--style-losses",
        "gram",
    ]
    assert main(["explore", *map(str, pair), "-o", str(out), *SMALL, *flags]) == 130
    said = capsys.readouterr().err
    assert "stopped: 1 of 2 pictures were painted, and no sheet is written" in said
    assert not out.exists()
