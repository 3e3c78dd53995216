"""Several styles, masks, maps and strength from the command line."""

import numpy as np
import pytest

from nst_tf.cli import main
from nst_tf.imaging.metadata import read_settings
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from tests.helpers import scene

CONTENT, STYLE, OTHER = scene(40, 56, seed=1), scene(48, 48, seed=7), scene(40, 60)
MASK = np.clip((np.arange(56, dtype="float32") - 24) / 8, 0, 1)
MASK = np.broadcast_to(MASK, (40, 56)).copy()
FLAGS = ["--size", "56", "--scales", "1", "--steps", "4", "--schedule", "auto=0"]
FLAGS += ["--style-layers", "block1_conv1", "block2_conv1", "--quiet"]
FLAGS += ["--content-layers", "block2_conv2", "--convention", "gatys-notebook"]
pytestmark = pytest.mark.usefixtures("random_vgg")


@pytest.fixture
def files(tmp_path):
    pictures = {"photo": CONTENT, "a": STYLE, "b": OTHER, "mask": MASK[..., None]}
    pictures["other"] = 1 - MASK[..., None]
    for name, pixels in pictures.items():
        save_image(
            tmp_path / f"{name}.png", np.broadcast_to(pixels, (*pixels.shape[:2], 3))
        )
    return {name: str(tmp_path / f"{name}.png") for name in pictures}


def run(files, tmp_path, *flags):
    command = ["optimize", files["photo"], files["a"], "-o", str(tmp_path / "out.png")]
    return main([*command, *FLAGS, *flags])


def test_styles_masks_and_shares_from_the_command_line(files, tmp_path):
    flags = ("--styles", files["b"], "--masks", files["mask"], files["other"])
    shares = ("--style-shares", "1", "0")
    assert run(files, tmp_path, *flags, *shares, "--strength", "0.7") == 0
    out = tmp_path / "out.png"
    facts = read_settings(out)
    assert facts["settings"]["style_shares"] == [1.0, 0.0]
    assert facts["settings"]["loss"]["strength"] == 0.7
    assert [fact["name"] for fact in facts["masks"]] == ["mask.png", "other.png"]
    assert [fact["name"] for fact in facts["styles"]] == ["b.png"]
    gap = np.abs(load_image(out).pixels - load_image(tmp_path / "photo.png").pixels)
    assert gap[MASK == 0].max() == 0
    again = tmp_path / "again.png"
    command = ["optimize", files["photo"], files["a"], "-o", str(again), *flags]
    assert main([*command, "--like", str(out), "--quiet"]) == 0
    np.testing.assert_array_equal(load_image(again).pixels, load_image(out).pixels)


def test_a_doodle_from_the_command_line(tmp_path):
    doodle, style_map = (
        np.zeros((40, 56, 3), "float32"),
        np.zeros((48, 48, 3), "float32"),
    )
    doodle[:20, :, 0], style_map[24:, :, 0] = 1.0, 1.0
    names = {"doodle": doodle, "painting": STYLE, "map": style_map}
    for name, pixels in names.items():
        save_image(tmp_path / f"{name}.png", pixels)
    inputs = [str(tmp_path / f"{name}.png") for name in ("doodle", "painting")]
    command = ["optimize", *inputs, "-o", str(tmp_path / "out.png"), *FLAGS]
    assert main([*command, "--style-maps", str(tmp_path / "map.png")]) == 0
    facts = read_settings(tmp_path / "out.png")
    assert facts["settings"]["init"] == "noise"
    assert facts["settings"]["loss"]["content_weight"] == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--styles", "b", "--style-shares", "1"), "2 paintings and 1 shares"),
        (("--masks", "mask", "other"), "1 paintings and 2 masks"),
        (("--masks", "b"), "mask 1 has 60x40 pixels"),
        (("--style-masks", "mask"), "--style-masks needs --masks"),
        (("--map", "mask"), "--map needs --style-maps"),
        (("--masks", "mask", "--style-maps", "a"), "not both"),
        (("--map", "photo", "--style-maps", "a"), "no map of flat colours"),
        (("--strength", "2"), "strength must be in 0..1"),
        (("--style-loss", "magic"), "magic"),
    ],
)
def test_bad_control_is_refused(files, tmp_path, capsys, flags, said):
    before = sorted(tmp_path.iterdir())
    words = [files.get(flag, flag) for flag in flags]
    try:
        code = run(files, tmp_path, *words)
    except SystemExit as left:
        code = left.code
    message = capsys.readouterr().err
    assert code == 2
    assert said in " ".join(message.replace("│", " ").split())
    assert "Traceback" not in message
    assert sorted(tmp_path.iterdir()) == before
