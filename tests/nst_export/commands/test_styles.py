"""`nst styles`: the sheet shows the scene, then every style on it."""

import numpy as np

from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf.cli import main
from nst_tf.imaging.read import load_image
from nst_tf.imaging.scene import landscape


def test_the_sheet_has_the_scene_and_every_style_four_in_a_row(tmp_path, capsys):
    path = tmp_path / "sheet.png"
    assert main(["styles", "--sheet", str(path)]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    sheet = load_image(path).pixels
    height, width = landscape().shape[:2]
    assert sheet.shape == (4 * height, 4 * width, 3)
    cells = sheet.reshape(4, height, 4, width, 3).swapaxes(1, 2).reshape(16, height, -1)
    stylizer = Stylizer.load(bundled())
    weights = mix_weights(stylizer.styles, {names[4]: 1.0})
    shown = {0: landscape(), 5: stylizer(landscape(), weights), 13: np.ones(1)}
    for index, expected in shown.items():
        pixels = cells[index].reshape(height, width, 3)
        np.testing.assert_allclose(pixels - expected, 0, atol=1e-3 + 0.5 / 255)
