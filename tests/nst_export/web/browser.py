"""What tests do with the page."""

import base64
import time

from tests.serving import decoded

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--no-first-run", "--disable-component-update", "--disable-quic"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)
DESKTOP, PHONE = (1280, 860), (390, 844)


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
