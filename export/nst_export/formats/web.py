"""A folder that paints in the browser: the page, LiteRT.js, one `.tflite`.

Neither TensorFlow nor Keras is imported.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

from nst_export.formats.shapes import number, put, shapes_at
from nst_export.formats.table import Format, Source
from nst_export.runtime.encoder import encoder_beside, open_encoder
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, tiles_beside
from nst_tf.files import new_folder, replacing
from nst_tf.imaging.scene import EXAMPLE, THUMBNAIL, landscape
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import InputError
from nst_tf.style_file import to_text

RULES = "sizes.json"
"""Name of the file with the rules of `size_rules`; others begin with another file's."""
PAGE = Path(__file__).parents[1] / "web"
_PACKAGES = {
    "@litertjs/core@2.5.3": "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8I"
    "wqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
    "@litertjs/wasm-utils@2.5.3": "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW"
    "580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
}
"""What is fetched from the npm registry, and the SHA-512 that it must have."""
_WASM = (
    "litert_wasm_threaded_internal",
    "litert_wasm_internal",
    "litert_wasm_compat_internal",
)
"""With threads, for pages that are isolated (see `isolate.js`); with relaxed SIMD; for
browsers without it. A browser fetches one of them."""
_FILES = ("index.html", "page.css", "page.js", "worker.js", "isolate.js", "icon.svg")
MAX_SIZE = 1024
"""Largest long side that the page offers."""


def export_web(model: Path, folder: Path) -> None:
    """Write a static folder that paints in the browser, whole or not at all.

    Args:
        model: A `.tflite` for any size.
        folder: Where the page goes; what is there is replaced if it was written by this
            function.

    Raises:
        InputError: As `write_web`, or the folder holds other things.
    """
    new_folder(folder, mark=RULES)
    with replacing(folder) as part:
        write_web(model, part)


def write_web(
    model: Path,
    folder: Path,
    *,
    encoder: Path | None = None,
    frames: Path | None = None,
) -> None:
    """Write a static folder that paints in the browser.

    Args:
        model: A `.tflite` for any size.
        folder: Where the page goes; made if it is not there.
        encoder: Of a model for any painting; without it the one beside the model.
        frames: The model's file for tiles, with which the camera flickers less; without
            it the one beside the model, if there is one.

    Raises:
        InputError: The model has one size only, or npm can't fetch LiteRT.js.
        OSError: A file can't be written.
    """
    if model.suffix.lower() != ".tflite" or not model.is_file():
        raise InputError(f"the browser needs a .tflite, got {model}")
    stylizer = Stylizer.load(model)
    data = model.read_bytes()
    rules = size_rules(data)
    any_painting: dict[str, Any] = {}
    if stylizer.rows is not None:
        encoder = encoder or encoder_beside(model, stylizer.card)
        open_encoder(model, stylizer.card, file=encoder)
        any_painting = {"rows": [to_text(row) for row in stylizer.rows]}
    (folder / "styles").mkdir(parents=True, exist_ok=True)
    _write_litert(folder / "litert")
    for name in _FILES:
        shutil.copyfile(PAGE / name, folder / name)
    shutil.copyfile(PAGE / "engine_browser.js", folder / "engine.js")
    (folder / "model.tflite").write_bytes(data)
    (folder / RULES).write_text(_compact(rules))
    if any_painting and encoder is not None:
        _write_sized(encoder.read_bytes(), folder, "encoder")
    frames = frames or tiles_beside(model, stylizer.card)
    if frames.is_file():
        _write_sized(frames.read_bytes(), folder, "frames")
    styles = []
    scene = landscape(*THUMBNAIL)
    for index, entry in enumerate(stylizer.card["styles"]):
        name = stylizer.styles[index]
        picture = stylizer(scene, mix_weights(stylizer.styles, {name: 1.0}))
        thumbnail = f"styles/{index + 1}.jpg"
        save_image(folder / thumbnail, picture)
        credit = str(entry.get("credit", ""))
        styles.append({"name": name, "credit": credit, "thumbnail": thumbnail})
    about = {"styles": styles, "maxSize": MAX_SIZE, **any_painting}
    about["frames"] = frames.is_file()
    text = json.dumps(about, indent=1, ensure_ascii=False)
    (folder / "model.json").write_text(text, "utf-8")
    save_image(folder / "scene.jpg", landscape(*EXAMPLE))


def write(path: Path, source: Source) -> None:
    """Write the folder around a `.tflite` that is made for it."""
    if "style" not in source.network.input:
        raise InputError("web shows several styles: leave out --style")
    from nst_export.formats import litert  # It imports TensorFlow.

    litert.write(path, source)
    frames = tiles_beside(path.parent, source.card)
    with tempfile.TemporaryDirectory() as name:
        if not frames.is_file() and source.tiles is not None:
            frames = Path(name) / frames.name
            litert.TILES.write(frames, source._replace(network=source.tiles()))
        encoder = encoder_beside(path.parent, source.card)
        write_web(path, path.parent, encoder=encoder, frames=frames)


FORMAT = Format(file="web/model.tflite", write=write)


def size_rules(model: bytes) -> dict[str, list[tuple[int, float, int]]]:
    """Return how the shapes inside a `.tflite` depend on the picture's size.

    Browsers and GPUs take files of one size only. A file for any size becomes one by
    writing numbers at places: each is `ratio * side + offset` of the picture's height
    or width.

    Returns:
        For "height" and "width" the place in bytes, the ratio and the offset.

    Raises:
        InputError: The file has one size, or shapes that are no such sums.
    """
    sizes = {"start": (64, 96), "height": (128, 96), "width": (64, 160)}
    start = shapes_at(model, *sizes["start"])
    rules: dict[str, list[tuple[int, float, int]]] = {"height": [], "width": []}
    for side, axis in (("height", 0), ("width", 1)):
        other = shapes_at(model, *sizes[side])
        change = sizes[side][axis] - sizes["start"][axis]
        for place, value in start.items():
            ratio = Fraction(other[place] - value, change)
            offset = value - ratio * sizes["start"][axis]
            constant = side == "height" and number(model, place) != value
            if ratio or constant:
                rules[side].append((place, float(ratio), int(offset)))
    # A size that the rules were not made from.
    sized = set_size(model, rules, 100, 132)
    for place, value in shapes_at(model, 100, 132).items():
        if number(sized, place) != value:
            raise InputError("this model's shapes can't be set in a browser")
    return rules


def set_size(model: bytes, rules: Any, height: int, width: int) -> bytes:
    """Return a `.tflite` of one size, as the page makes it; see `size_rules`."""
    data = bytearray(model)
    for side, pixels in (("height", height), ("width", width)):
        for place, ratio, offset in rules[side]:
            value = round(ratio * pixels + offset)
            put(data, place, value)
    return bytes(data)


def _write_sized(model: bytes, folder: Path, name: str) -> None:
    """Write one more model and its rules."""
    (folder / f"{name}.tflite").write_bytes(model)
    (folder / f"{name}-{RULES}").write_text(_compact(size_rules(model)))


def _compact(rules: dict[str, list[tuple[int, float, int]]]) -> str:
    return json.dumps(rules, separators=(",", ":"))


def _write_litert(folder: Path) -> None:
    """Fetch LiteRT.js with npm, check it, and make it load without a bundler."""
    (folder / "wasm").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        for package, digest in _PACKAGES.items():
            _unpack(package, digest, Path(name))
        core = Path(name) / "core"
        code = (core / "dist/index.js").read_text("utf-8")
        code = code.replace('"@litertjs/wasm-utils"', '"./wasm-utils.js"')
        utils = (Path(name) / "wasm-utils/dist/index.js").read_text("utf-8")
        for file, text in (("index.js", code), ("wasm-utils.js", utils)):
            text = re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE)
            (folder / file).write_text(text, "utf-8")
        for stem in _WASM:
            for ending in (".js", ".wasm"):
                shutil.copyfile(
                    core / "wasm" / f"{stem}{ending}",
                    folder / "wasm" / f"{stem}{ending}",
                )


def _unpack(package: str, digest: str, folder: Path) -> None:
    npm = shutil.which("npm") or "npm"  # npm.cmd on Windows.
    command = [npm, "pack", "--silent", "--pack-destination", str(folder), package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise InputError(
            "the browser's runtime is fetched by npm: install Node.js"
        ) from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or error.stdout).strip().splitlines()
        raise InputError(
            f"npm can't fetch {package}: {reason[-1] if reason else error}"
        ) from error
    file = folder / done.stdout.split()[-1]
    found = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    if found != digest:
        raise InputError(f"{package} has the SHA-512 {found}, not {digest}")
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    (folder / "package").rename(folder / package.rpartition("@")[0].rpartition("/")[2])
