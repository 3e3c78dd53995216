"""The page in headless Chromium: on the server, and alone with LiteRT.js."""

import base64
import functools
import http.server
import io
import os
import re
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_export.formats.web import export_web
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf.cli import main
from nst_tf.imaging.color import keep_colors
from nst_tf.imaging.scene import landscape
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import InputError
from tests.helpers import scene
from tests.serving import decoded, encoded, psnr, serving

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--no-first-run", "--disable-component-update", "--disable-quic"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)
DESKTOP, PHONE = (1280, 860), (390, 844)


@pytest.fixture(scope="module")
def chromium():
    names = ("chromium", "chromium-headless-shell", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The browser-only folder."""
    path = tmp_path_factory.mktemp("web") / "site"
    try:
        export_web(bundled(), path)
    except InputError as error:
        if "npm" not in str(error):
            raise
        pytest.skip(f"LiteRT.js is not at hand: {error}")
    return path


@pytest.fixture(scope="module", params=["server", "browser"])
def address(request, chromium, tmp_path_factory):
    if request.param == "server":
        with serving(tmp_path_factory.mktemp("serve"), "--max-bytes", "3000000") as (
            _,
            where,
        ):
            yield where
        return
    handler = functools.partial(Quiet, directory=request.getfixturevalue("folder"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(chromium, address):
    """The page at desktop size; it must load nothing from elsewhere, nor fail."""
    yield from opened(chromium, address, DESKTOP)


def opened(chromium, address, size):
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    faults, elsewhere = [], []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((address, "blob:", "data:"))
            else elsewhere.append(request.url)
        ),
    )
    page.set_default_timeout(60_000)
    page.goto(f"{address}/?accelerator=wasm")
    page.wait_for_selector("body[data-ready=yes]")
    yield page
    context.close()
    assert faults == elsewhere == []


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer.load(bundled())


def give(page, path):
    """Choose a photograph and wait until it is painted in every style."""
    page.set_input_files("#file", path)
    page.wait_for_selector("body[data-thumbnails]")
    settled(page)


def playwright_timeout():
    """Return Playwright's error; the package may be missing."""
    from playwright import sync_api

    return sync_api.TimeoutError


def settled(page):
    page.wait_for_selector("#busy", state="hidden")


def until(page, condition):
    """Wait for a condition; the page's policy forbids Playwright's own waiting."""
    end = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def canvas(page, selector="#after"):
    """Return a canvas' pixels, float32 `[H, W, 3]`."""
    script = "(one) => one.toDataURL('image/png').split(',')[1]"
    return decoded(base64.b64decode(page.eval_on_selector(selector, script)))[..., :3]


def sent(page, path):
    """Return a small picture as the server gets it, a JPEG of the browser's."""
    script = """async (text) => {
      const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
      const photo = await createImageBitmap(new Blob([bytes]));
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [photo.width, photo.height];
      canvas.getContext('2d').drawImage(photo, 0, 0);
      return canvas.toDataURL('image/jpeg', 0.92).split(',')[1];
    }"""
    text = base64.b64encode(path.read_bytes()).decode()
    return decoded(base64.b64decode(page.evaluate(script, text)))


def slide(page, name, value):
    script = """(one, value) => {
      one.value = value; one.dispatchEvent(new Event('input', { bubbles: true }));
    }"""
    page.eval_on_selector(f"#{name}", script, value)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(height=97, width=130))
    return path


def test_the_painting_is_what_python_paints(page, photo, stylizer):
    give(page, photo)
    page.get_by_role("radio", name="Udnie").check()
    settled(page)
    pixels = decoded(photo.read_bytes())
    expected = stylizer(pixels, mix_weights(stylizer.styles, {"udnie": 1.0}))
    found = canvas(page)
    assert found.shape == (97, 130, 3)
    assert psnr(found, expected) > 50
    assert psnr(canvas(page, "#before"), pixels) > 60
    assert re.match(r"130 . 97, \d", page.inner_text("#figures"))


def test_mix_strength_and_kept_colours_are_what_python_paints(page, photo, stylizer):
    give(page, photo)
    page.select_option("#second", label="The scream")
    slide(page, "share", 25)
    slide(page, "strength", 60)
    page.check("#keep")
    settled(page)
    pixels = decoded(photo.read_bytes())
    shares = {stylizer.styles[0]: 0.75, "the_scream": 0.25}
    weights = mix_weights(stylizer.styles, shares, strength=0.6)
    expected = keep_colors(stylizer(pixels, weights), pixels)
    assert psnr(canvas(page), expected) > 50
    assert page.inner_text("#strength-shown") == "60 %"
    assert page.inner_text("#share-names") == "Share of The scream"


def test_every_style_is_shown_on_the_photograph(request, page, photo, stylizer):
    until(
        page,
        "[...document.querySelectorAll('.style canvas')].every((c) => c.width === 288)",
    )
    give(page, photo)
    pixels = decoded(photo.read_bytes())
    if request.node.callspec.params["address"] == "server":
        pixels = sent(page, photo)
    for index, name in enumerate(stylizer.styles):
        found = canvas(page, f".style:nth-of-type({index + 1}) canvas")
        expected = stylizer(pixels, mix_weights(stylizer.styles, {name: 1.0}))
        assert psnr(found, expected) > 22, name
    names = page.locator(".style b").all_inner_texts()
    assert [name.lower().replace(" ", "_") for name in names] == stylizer.styles


def test_the_keyboard_is_enough(page, photo):
    give(page, photo)
    first = canvas(page)
    page.focus("[name=style]:checked")
    page.keyboard.press("ArrowRight")
    settled(page)
    assert page.eval_on_selector("[name=style]:checked", "(one) => one.value") == "1"
    assert psnr(canvas(page), first) < 30
    page.focus("#split")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    width = page.eval_on_selector("#picture", "(one) => one.style.cssText")
    assert float(re.search(r"--split:\s*([\d.]+)%", width)[1]) >= 10
    page.keyboard.press("End")
    shot = np.asarray(Image.open(io.BytesIO(page.locator("#picture").screenshot())))
    # The photograph covers the painting; the screen shows it larger.
    shown = Image.fromarray(shot[..., :3]).resize((130, 97), Image.Resampling.BOX)
    middle = (slice(10, 30), slice(10, 120))
    pixels = decoded(photo.read_bytes())
    assert psnr(np.asarray(shown)[middle] / 255, pixels[middle]) > 20
    for last in (False, False, True):
        try:
            with page.expect_file_chooser(timeout=15_000):
                page.focus("[data-do=choose]:visible")
                page.keyboard.press("Enter")
            break
        except playwright_timeout():  # A busy machine's Chromium may lose the key.
            if last:
                raise


def test_the_painting_can_be_kept(page, photo, tmp_path):
    give(page, photo)
    page.wait_for_selector("#download[href]")
    with page.expect_download() as info:
        page.click("#download")
    assert info.value.suggested_filename == "photo-starry_night.png"
    info.value.save_as(tmp_path / "kept.png")
    kept = decoded((tmp_path / "kept.png").read_bytes())[..., :3]
    assert psnr(kept, canvas(page)) > 60


def test_the_example_is_the_projects_scene_at_the_chosen_size(page):
    page.click("text=Try the example")
    page.wait_for_selector("body[data-thumbnails]")
    settled(page)
    assert canvas(page).shape == (341, 512, 3)
    page.select_option("#size", "256")
    settled(page)
    assert canvas(page).shape == (171, 256, 3)


def test_the_camera_is_painted_live_and_a_frame_can_be_taken(page):
    page.click("text=Use the camera")
    until(
        page,
        "document.getElementById('figures').textContent.includes('frames a second')",
    )
    before = int(page.get_attribute("#after", "data-painted"))
    until(page, f"document.getElementById('after').dataset.painted > {before + 2}")
    assert max(canvas(page).shape) == 256
    page.click("text=Take this picture")
    page.wait_for_selector("body[data-thumbnails]")
    settled(page)
    assert max(canvas(page).shape) == 512
    assert page.is_hidden("text=Stop the camera")


def test_a_file_that_is_no_picture_is_named_and_the_page_goes_on(page, photo, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("This is no picture.")
    page.set_input_files("#file", text)
    page.wait_for_selector("#error")
    assert "text.png is not an image that this browser can read" in page.inner_text(
        "#error"
    )
    give(page, photo)
    assert page.is_hidden("#error")


def test_a_photograph_may_be_dropped(page, photo):
    data = base64.b64encode(photo.read_bytes()).decode()
    page.evaluate(
        """(data) => {
          const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
          const moved = new DataTransfer();
          moved.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
          document.getElementById("frame").dispatchEvent(
            new DragEvent("drop", { bubbles: true, dataTransfer: moved }));
        }""",
        data,
    )
    page.wait_for_selector("#picture")
    settled(page)
    assert canvas(page).shape == (97, 130, 3)


def test_a_telephones_width_is_enough(chromium, address, photo):
    for page in opened(chromium, address, PHONE):
        give(page, photo)
        wide = "document.documentElement.scrollWidth <= innerWidth"
        assert page.evaluate(wide)
        for button in page.locator("button:visible, a.button:visible").all():
            assert button.bounding_box()["height"] >= 40


def test_pictures_for_the_documentation(request, chromium, address, tmp_path):
    """Kept in the folder NST_SCREENSHOTS, where it is set."""
    keep = Path(os.environ.get("NST_SCREENSHOTS", tmp_path))
    kind = request.node.callspec.params["address"]
    path = tmp_path / "landscape.png"
    save_image(path, landscape(480, 720))
    for name, size in (("desktop", DESKTOP), ("phone", PHONE)):
        for page in opened(chromium, address, size):
            give(page, path)
            page.get_by_role("radio", name="Composition vii").check()
            settled(page)
            slide(page, "split", 30)
            shot = keep / f"page-{kind}-{name}.png"
            page.screenshot(path=shot)
            with Image.open(shot) as file:
                assert file.size == size


def test_the_server_s_own_words_are_shown(chromium, tmp_path):
    with serving(tmp_path, "--max-bytes", "2000") as (_, where):
        for page in opened(chromium, where, DESKTOP):
            path = tmp_path / "photo.png"
            save_image(path, scene(97, 130))
            page.set_input_files("#file", path)
            page.wait_for_selector("#error")
            assert page.inner_text("#error") == "the body is larger than 2,000 bytes"


def test_the_documentation_page_lists_every_route(chromium, tmp_path):
    with serving(tmp_path) as (_, where):
        page = chromium.new_page()
        page.goto(f"{where}/docs")
        page.wait_for_selector("details")
        said = page.inner_text("#paths")
        for path in ("/stylize", "/v1/models/{name}:predict", "/v2/health/live"):
            assert path in said
        page.click("summary:has-text('/stylize')")
        assert "keep_colors" in page.inner_text("details[open]")
        page.close()


# The folder itself.


def test_a_folder_with_other_things_is_left_alone(tmp_path, capsys):
    (tmp_path / "own.txt").write_text("mine")
    command = ["export", "gallery", "--formats", "web", "-o", str(tmp_path)]
    assert main(command) == 2
    assert "holds other things" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["own.txt"]


def test_a_missing_npm_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    command = ["export", "gallery", "--formats", "web", "-o", str(tmp_path / "site")]
    assert main(command) == 2
    assert "install Node.js" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_set_to_a_size_paints_as_the_one_for_any_size(tmp_path, stylizer):
    from ai_edge_litert.interpreter import Interpreter

    from nst_export.formats.web import set_size, size_rules

    model = bundled().read_bytes()
    fixed = Interpreter(model_content=set_size(model, size_rules(model), 60, 84))
    fixed.allocate_tensors()
    photo, weights = scene(60, 84), mix_weights(stylizer.styles, {"udnie": 1.0})
    for detail in fixed.get_input_details():
        assert -1 not in detail["shape_signature"]
        value = photo[None] if len(detail["shape"]) == 4 else [weights]
        fixed.set_tensor(detail["index"], np.asarray(value, "float32"))
    fixed.invoke()
    found = fixed.get_tensor(fixed.get_output_details()[0]["index"])[0]
    np.testing.assert_allclose(found, stylizer(photo, weights), atol=1e-5)
