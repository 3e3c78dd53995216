"""`nst styles`: the sheet shows the scene, then every style on it."""

import numpy as np

from nst_export.card import embed, extract
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf.cli import main
from nst_tf.imaging.read import load_image
from nst_tf.imaging.scene import landscape
from nst_tf.imaging.write import save_image

GAP = 8  # Pixels between the cells.


def test_the_sheet_has_the_scene_and_every_style_with_its_name(tmp_path, capsys):
    path = tmp_path / "sheet.png"
    assert main(["styles", "--sheet", str(path)]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    sheet = load_image(path).pixels
    height, width = landscape().shape[:2]
    assert sheet.shape[1] == GAP + 5 * (width + GAP)
    high = (sheet.shape[0] - GAP) // 3
    stylizer = Stylizer.load(bundled())
    weights = mix_weights(stylizer.styles, {names[4]: 1.0})
    shown = {0: landscape(), 5: stylizer(landscape(), weights), 13: np.ones(1)}
    for index, expected in shown.items():
        y, x = GAP + index // 5 * high, GAP + index % 5 * (width + GAP)
        pixels = sheet[y : y + height, x : x + width]
        np.testing.assert_allclose(pixels - expected, 0, atol=1e-3 + 0.5 / 255)
        below = sheet[y + height : y + high - 1, x : x + width]
        assert (below.min() < 0.3) == (index == 5)  # A name, in ink.


def test_a_sheet_of_an_upright_photograph_is_no_wider_for_its_name(tmp_path):
    photo, path = tmp_path / f"{'photograph' * 5}.png", tmp_path / "sheet.png"
    save_image(photo, landscape(540, 400))
    assert main(["styles", "--sheet", str(path), "--photo", str(photo)]) == 0
    assert load_image(path).pixels.shape[1] == GAP + 5 * (400 + GAP)


def test_the_sheet_is_of_a_photograph_of_ones_own(tmp_path, capsys):
    photo, path = tmp_path / "photo.png", tmp_path / "sheet.png"
    save_image(photo, landscape(500, 1080))
    command = ["styles", "--sheet", str(path), "--photo"]
    assert main([*command, str(photo)]) == 0
    small, sheet = load_image(photo, size=540).pixels, load_image(path).pixels
    height, width = small.shape[:2]
    assert (height, width) == (250, 540)
    assert sheet.shape[1] == GAP + 5 * (width + GAP)
    stylizer = Stylizer.load(bundled())
    weights = mix_weights(stylizer.styles, {stylizer.styles[0]: 1.0})
    first = sheet[GAP : GAP + height, GAP : GAP + width]
    np.testing.assert_allclose(first, small, atol=0.6 / 255)
    second = sheet[GAP : GAP + height, width + 2 * GAP : 2 * (width + GAP)]
    np.testing.assert_allclose(second, stylizer(small, weights), atol=0.6 / 255)
    assert main(["styles", "--sheet", str(photo), "--photo", str(photo)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith(f"the output {photo} is an input: choose another")
    before = path.read_bytes()
    (tmp_path / "text.jpg").write_text("no photograph")
    for wrong, said in (
        ([*command, str(tmp_path / "no.jpg")], "there is no file"),
        ([*command, str(tmp_path / "text.jpg")], "is not an image"),
        (["styles", "--photo", str(photo)], "--photo is for --sheet"),
        (["styles", "--sheet", str(photo), "--photo", str(photo)], "photo.png"),
    ):
        assert main(wrong) == 2
        assert said in capsys.readouterr().err
    assert path.read_bytes() == before


def test_names_of_a_card_that_are_no_texts_are_listed(tmp_path, capsys):
    path, data = tmp_path / "numbers.tflite", bundled().read_bytes()
    card = extract(data)
    for number, style in enumerate(card["styles"]):
        style["name"] = [number]
    path.write_bytes(embed(data, card))
    assert main(["styles", "--names", "--model", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["[0]", "[1]"]
