"""The page of a model for any painting: one's own becomes a style."""

import contextlib

import pytest

from nst_export.runtime.encoder import PaintingEncoder, encoder_beside
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf.imaging.write import save_image
from tests.helpers import scene
from tests.nst_export.web.browser import (
    DESKTOP,
    canvas,
    give,
    opened,
    settled,
    slide,
    until,
)
from tests.serving import decoded, psnr, serving

OWN = "#styles .style"


@contextlib.contextmanager
def painted_anew(page):
    """Wait for one more painting after what is done inside."""
    count = "Number(document.getElementById('after').dataset.painted || 0)"
    before = page.evaluate(count)
    yield
    until(page, f"{count} > {before}")
    settled(page)


MANY_SIZES = """(async () => {
  const engine = await (await import('./engine.js')).open(() => {});
  const canvas = new OffscreenCanvas(64, 64), names = [];
  for (let count = 0; count < 16; count += 1) {
    canvas.width = 64 + 8 * (count * 7 % 16);
    canvas.getContext('2d').fillRect(0, 0, 9, 9);
    const own = count % 4 || await engine.bring({ canvas, name: `${count}` });
    if (own.name) names.push(own.name);
    const clip = count % 3 === 1 ? { name: 'a', seconds: count } : undefined;
    await engine.paint({ canvas }, { mix: { [names.at(-1)]: 1 }, strength: 1, clip });
  }
  window.painted = canvas.width;
})(); 0"""


@pytest.mark.parametrize("any_address", ["browser"], indirect=True)
def test_no_model_waits_for_threads_that_others_have(chromium, any_address):
    for page in opened(chromium, any_address, DESKTOP):
        page.evaluate(MANY_SIZES)
        until(page, "window.painted === 64 + 8 * (15 * 7 % 16)")


def test_my_own_painting_is_what_python_paints(
    chromium, any_address, for_any, photo, tmp_path
):
    files = for_any[2]
    encoder = PaintingEncoder(files / "any-encoder.tflite")
    model = Stylizer.load(files / "any.tflite")
    pixels = decoded(photo.read_bytes())
    paths = [tmp_path / name for name in ("My, own = picture.png", "other.png")]
    for seed, path in enumerate(paths):
        save_image(path, scene(330 + 100 * seed, 402, seed=11 + seed))
    names = ["My own picture", "other"]
    styles = [
        encoder.style(decoded(path.read_bytes()), name)
        for path, name in zip(paths, names, strict=True)
    ]
    model = model.with_styles(styles)
    for page in opened(chromium, any_address, DESKTOP):
        give(page, photo)
        assert page.locator(OWN).count() == 0
        assert page.is_visible("#bring")
        for index, path in enumerate(paths):
            with painted_anew(page):
                page.set_input_files("#own", path)
            assert page.locator(OWN).count() == index + 1
            wanted = model(pixels, mix_weights(model.styles, {names[index]: 1.0}))
            assert psnr(canvas(page), wanted) > 50
        assert page.inner_text(f"{OWN} >> nth=0").startswith("My own picture")
        with painted_anew(page):
            page.get_by_role("radio").first.check()
        with painted_anew(page):
            slide(page, "strength", 40)
        weights = mix_weights(model.styles, {names[0]: 1.0}, strength=0.4)
        assert psnr(canvas(page), model(pixels, weights)) > 50


def test_my_own_painting_mixes_with_the_gallerys_styles(chromium, photo, tmp_path):
    path = bundled("any")
    own = tmp_path / "mine.png"
    save_image(own, scene(330, 402, seed=11))
    model = Stylizer.load(path)
    encoder = PaintingEncoder(encoder_beside(path, model.card))
    model = model.with_styles([encoder.style(decoded(own.read_bytes()), "mine")])
    mix = mix_weights(model.styles, {"mine": 0.5, "udnie": 0.5})
    with serving(tmp_path) as (_, address):
        for page in opened(chromium, address, DESKTOP):
            give(page, photo)
            shown = page.locator("#styles .style").count()
            with painted_anew(page):
                page.set_input_files("#own", own)
            # A style of the gallery that the model for any painting has too: once.
            assert page.locator("#styles .style").count() == shown + 1 == 13
            with painted_anew(page):
                page.select_option("#second", label="Udnie")
            wanted = model(decoded(photo.read_bytes()), mix)
            assert psnr(canvas(page), wanted) > 50


def test_what_is_no_painting_is_named(chromium, any_address, photo, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("This is no picture.")
    for page in opened(chromium, any_address, DESKTOP):
        page.click("text=Use the camera")
        page.wait_for_selector("#error")
        assert page.inner_text("#error") == "bring a painting first"
        page.set_input_files("#own", text)
        until(page, "document.getElementById('error').textContent.includes('text.png')")
        assert page.locator(OWN).count() == 0
