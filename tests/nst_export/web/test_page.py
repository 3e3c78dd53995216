"""The page in headless Chromium: on the server, and alone with LiteRT.js."""

import base64
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_export.runtime.clip import ClipStylizer
from nst_export.runtime.mix import mix_weights
from nst_export.server.app import WEB
from nst_tf.imaging.color import keep_colors
from nst_tf.imaging.scene import landscape
from nst_tf.imaging.write import encode_image, save_image
from scripts.page import still
from tests.helpers import scene
from tests.nst_export.web.browser import (
    DESKTOP,
    PHONE,
    canvas,
    give,
    opened,
    playwright_timeout,
    sent,
    settled,
    slide,
    until,
)
from tests.serving import decoded, psnr, serving


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


ALONE = pytest.mark.parametrize("address", ["browser"], indirect=True)
WHERE = "document.getElementById('where').textContent"


@ALONE
@pytest.mark.parametrize("workers", ["allow", "block"])
def test_a_page_that_is_isolated_paints_with_threads(
    chromium, address, photo, stylizer, workers
):
    context = chromium.new_context(service_workers=workers)
    page = context.new_page()
    page.goto(f"{address}/?accelerator=wasm")
    page.wait_for_selector("body[data-ready=yes]")
    count = min(os.cpu_count(), 4) if workers == "allow" else 1
    assert page.evaluate("crossOriginIsolated") == (workers == "allow")
    threads = f", {count} threads" if count > 1 else ""
    assert page.evaluate(WHERE).startswith(f"in this browser (WebAssembly{threads});")
    give(page, photo)
    pixels = decoded(photo.read_bytes())
    shares = {stylizer.styles[0]: 1.0}
    assert (
        psnr(canvas(page), stylizer(pixels, mix_weights(stylizer.styles, shares))) > 50
    )
    context.close()


GPU = (
    *("--no-sandbox", "--no-first-run", "--ignore-gpu-blocklist"),
    *("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"),
    *("--use-angle=swiftshader", "--enable-features=Vulkan"),
)
"""WebGPU computed by the processor."""
PAINT = """async ({ text, style }) => {
  const engine = await (await import('./engine.js')).open(() => {});
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const photo = await createImageBitmap(new Blob([bytes]));
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [photo.width, photo.height];
  const context = canvas.getContext('2d');
  context.drawImage(photo, 0, 0);
  const wish = { mix: { [style]: 1 }, strength: 1 };
  const { image } = await engine.paint({ canvas }, wish);
  context.drawImage(image, 0, 0);
  return [engine.where, canvas.toDataURL('image/png').split(',')[1]];
}"""


def test_webgpu_paints_what_python_paints(browsers, folder, photo, stylizer):
    browser = browsers(args=GPU)
    given = {"text": base64.b64encode(photo.read_bytes()).decode(), "style": "udnie"}
    with still(folder) as where:
        page = browser.new_page()
        page.goto(where)
        page.wait_for_selector("body[data-ready=yes]")
        adapter = page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)")
        said, picture = page.evaluate(PAINT, given)
        browser.close()
    if not adapter:
        pytest.skip("this Chromium has no WebGPU")
    assert said.startswith("in this browser (WebGPU);")
    pixels = decoded(photo.read_bytes())
    expected = stylizer(pixels, mix_weights(stylizer.styles, {"udnie": 1.0}))
    assert psnr(decoded(base64.b64decode(picture))[..., :3], expected) > 45


SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_moves_while_the_page_fills(chromium, address, photo, size):
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]})
    context.add_init_script(SHIFTS)
    page = context.new_page()
    page.goto(f"{address}/?accelerator=wasm")
    page.wait_for_selector("body[data-ready=yes]")
    until(
        page,
        "[...document.querySelectorAll('.style canvas')].every((c) => c.width === 288)",
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifts") < 0.05
    names = page.locator(".style b").all_inner_texts()
    assert "Composition VII" in names
    assert "Great wave" in names
    give(page, photo)
    settled(page)
    before = page.evaluate("window.shifts")
    # Another painting of the same photograph moves nothing at all.
    page.get_by_role("radio", name="Udnie").check()
    settled(page)
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifts") - before < 0.01
    context.close()


def test_mix_strength_and_kept_colours_are_what_python_paints(page, photo, stylizer):
    give(page, photo)
    page.select_option("#second", label="The scream")
    slide(page, "share", 25)
    page.check("#keep")
    pixels = decoded(photo.read_bytes())
    shares = {stylizer.styles[0]: 0.75, "the_scream": 0.25}
    for strength in (60, 140):  # Less than was trained, and beyond it.
        slide(page, "strength", strength)
        settled(page)
        weights = mix_weights(stylizer.styles, shares, strength=strength / 100)
        expected = keep_colors(stylizer(pixels, weights), pixels)
        assert psnr(canvas(page), expected) > 50
        assert page.inner_text("#strength-shown") == f"{strength} %"
    assert page.inner_text("#share-names") == "Share of The scream"


def test_a_large_photograph_is_drafted_as_python_drafts_it(page, stylizer, tmp_path):
    path = tmp_path / "large.png"
    save_image(path, landscape(801, 1021))
    page.select_option("#size", "1024")
    give(page, path)
    page.get_by_role("radio", name="Udnie").check()
    pixels = decoded(path.read_bytes())
    for strength in (60, 100):
        slide(page, "strength", strength)
        settled(page)
        weights = mix_weights(stylizer.styles, {"udnie": 1.0}, strength=strength / 100)
        found = canvas(page)
        # Two passes of the browser's integers after one another: 47 dB.
        assert psnr(found, stylizer(pixels, weights)) > 45
        assert psnr(found, stylizer(pixels, weights, draft=None)) < 40
    slide(page, "strength", 0)
    settled(page)
    np.testing.assert_allclose(canvas(page), pixels, atol=1e-6)


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


STREAMS = """
() => {
  const devices = navigator.mediaDevices, get = devices.getUserMedia.bind(devices);
  window.tracks = [];
  devices.getUserMedia = async (wanted) => {
    const stream = await get(wanted);
    window.tracks.push(...stream.getTracks());
    return stream;
  };
}
"""
PAINTED_LIVE = "document.getElementById('figures').textContent.includes('a second')"
ENDED = "window.tracks.every((track) => track.readyState === 'ended')"


@ALONE
def test_no_camera_runs_on_behind_the_page(page):
    page.evaluate(STREAMS)
    page.evaluate(
        """() => {
          const camera = document.querySelector("[data-do=camera]");
          camera.click();
          camera.click();
        }"""
    )
    until(page, PAINTED_LIVE)
    page.click("text=Stop the camera")
    until(page, f"window.tracks.length > 0 && {ENDED}")


@ALONE
def test_a_camera_that_is_taken_away_is_told_of(page):
    page.evaluate(STREAMS)
    page.click("text=Use the camera")
    until(page, PAINTED_LIVE)
    page.evaluate("window.tracks[0].dispatchEvent(new Event('ended'))")  # Unplugged.
    page.wait_for_selector("text=the camera has ended")
    assert page.is_hidden("text=Stop the camera")


@ALONE
def test_what_ended_the_camera_is_said_until_the_next_click(page, photo):
    give(page, photo)
    page.context.set_offline(True)  # The model of frames is loaded with the first.
    painted = int(page.get_attribute("#after", "data-painted"))
    page.click("#actions [data-do=camera]")
    page.wait_for_selector("text=frames.tflite can't be loaded")
    until(page, f"document.getElementById('after').dataset.painted > {painted}")
    assert page.is_visible("#error")  # While the photograph is painted again.
    page.get_by_role("radio", name="Udnie").check()
    page.wait_for_selector("#error", state="hidden")


def test_no_download_is_another_photographs(page, photo, tmp_path):
    give(page, photo)
    page.wait_for_selector("#download[href]")
    thin = tmp_path / "thin.png"
    save_image(thin, scene(16, 600))  # Of 512x14 pixels, which the server refuses.
    page.set_input_files("#file", thin)
    until(page, "document.getElementById('before').width === 512")
    assert not page.inner_text("#figures").startswith("130")
    settled(page)
    link = page.locator("#download")
    page.wait_for_selector("#error:visible, #download[download^=thin]")
    assert (link.get_attribute("href") is None) == page.is_visible("#error")


def test_a_page_that_is_opened_as_a_file_says_what_it_needs(chromium, folder):
    page = chromium.new_page()
    page.goto((folder / "index.html").as_uri())
    page.wait_for_selector("text=any web server will do")
    page.close()


FRAMES = """
async (sources) => {
  const { open } = await import("./engine.js");
  const engine = await open(() => {});
  const found = [];
  for (const [index, source] of sources.entries()) {
    const bitmap = await createImageBitmap(await (await fetch(source)).blob());
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    const mix = { udnie: 1 }, clip = { name: "film", seconds: 0.04 * index };
    const { image } = await engine.paint({ canvas }, { mix, strength: 1, clip });
    canvas.getContext("2d").drawImage(image, 0, 0);
    found.push(canvas.toDataURL("image/png"));
  }
  return found;
}
"""


def test_the_browsers_camera_has_the_statistics_of_a_film(chromium, folder, stylizer):
    # A pan, dusk, then a cut: statistics run on up to it, and begin anew.
    wide = landscape(97, 138)
    pan = [wide[:, start : start + 130] for start in (0, 4, 8)]
    frames = [*pan, 0.9 * pan[-1], 1.0 - landscape(97, 130)]
    frames = [np.float32(np.rint(255 * frame) / 255) for frame in frames]
    painter = ClipStylizer(stylizer, mix_weights(stylizer.styles, {"udnie": 1.0}))
    wanted = [painter(frame, 0.04 * index) for index, frame in enumerate(frames)]
    files = [base64.b64encode(encode_image(frame, "PNG")) for frame in frames]
    with still(folder) as address:
        for page in opened(chromium, address, DESKTOP):
            sources = [f"data:image/png;base64,{file.decode()}" for file in files]
            found = page.evaluate(FRAMES, sources)
    for url, expected in zip(found, wanted, strict=True):
        picture = decoded(base64.b64decode(url.partition(",")[2]))[..., :3]
        assert psnr(picture, expected) > 50


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
            page.get_by_role("radio", name="Composition VII").first.check()
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
        # Of the form, whose fields stand among the components of the document.
        fields = page.locator("details[open] table", has_text="field").first
        assert "painting" in fields.inner_text()
        assert "udnie" in fields.inner_text()
        page.close()


def test_the_documentation_page_names_the_address_below_a_path(chromium):
    files = {"docs": "docs.html", "docs.js": "docs.js", "docs.css": "docs.css"}

    def answer(route):
        name = route.request.url.rpartition("/")[2]
        if name == "openapi.json":
            route.fulfill(
                json={"info": {"version": "1", "description": ""}, "paths": {}}
            )
        elif name in files:
            route.fulfill(path=WEB / files[name])
        else:
            route.abort()

    page = chromium.new_page()
    page.route("**/*", answer)
    page.goto("http://proxy.example/paint/docs")
    page.wait_for_selector("#example:has-text('http://proxy.example/paint/stylize ')")
    page.close()
