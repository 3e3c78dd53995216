"""Benchmark of the page that paints in the browser alone: a pass in WebAssembly.

With threads, which an isolated page may have, and with one; in turn, in one Chromium.
"""

import argparse
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from scripts.page import find_chromium, still

PAINT = """async ([width, height, rounds]) => {
  const engine = await (await import('./engine.js')).open(() => {});
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  for (let at = 0; at < 40; at += 1) {
    context.fillStyle = `hsl(${9 * at}, 60%, ${20 + at}%)`;
    context.fillRect(width * at / 40, height * (at % 7) / 9, width / 9, height / 3);
  }
  const mix = { [engine.styles[0].name]: 1 }, times = [];
  for (let round = 0; round <= rounds; round += 1) {
    const start = performance.now();
    await engine.paint({ canvas }, { mix, strength: 1 });
    times.push(performance.now() - start);
  }
  return [engine.where, times.slice(1)];
}"""


def main() -> None:
    """Time the page with threads and without."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help=".tflite; without it the gallery")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 512))
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    path = find_chromium()
    if path is None:
        parser.error("Chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    from nst_export.formats.web import export_web
    from nst_export.runtime.stylizer import bundled

    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        export_web(given.model or bundled(), Path(name) / "site")
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        times: dict[str, list[float]] = {}
        with still(Path(name) / "site") as where:
            for workers in ("block", "allow") * 3:
                context = browser.new_context(service_workers=workers)
                said, found = painted(context.new_page(), where, given)
                times.setdefault(said, []).extend(found)
                context.close()
        browser.close()
    width, height = given.size
    print(f"\nA picture of {width}x{height}, medians:")
    for said, values in times.items():
        print(f"   {said.split(';')[0]}: {np.median(values):.0f} ms")


def painted(page: Any, where: str, given: argparse.Namespace) -> tuple[str, Any]:
    """Paint in a page that is opened anew; return what it says, and milliseconds."""
    page.goto(f"{where}/?accelerator=wasm")
    page.wait_for_selector("body[data-ready=yes]")
    found: tuple[str, Any] = page.evaluate(PAINT, [*given.size, given.rounds])
    return found


if __name__ == "__main__":
    main()
