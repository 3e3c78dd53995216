"""Clients of other people against `nst serve`; see scripts/clients."""

import argparse
import contextlib
import importlib
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
STYLE = np.eye(13, dtype="float32")[[6]]
"""Udnie alone, of the bundled gallery: `[1, 13]`."""


@contextlib.contextmanager
def serving(nst: Path) -> Iterator[str]:
    """Run `nst serve` on a free port; yield host and port."""
    command = [str(nst), "serve", "--port", "0", "--max-size", "256"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("http://"):
            raise SystemExit("nst serve does not start")
        yield line.split()[0].removeprefix("http://").rstrip("/")
    finally:
        process.terminate()
        process.wait(60)


def photograph() -> tuple[np.ndarray, bytes]:
    """Return a picture of waves, uint8 `[48, 64, 3]`, and its PNG file."""
    y, x = np.mgrid[0:48, 0:64]
    waves = [np.sin(x / (4 + k) + y / (7 - k)) for k in range(3)]
    pixels = np.uint8(127.5 + 120 * np.stack(waves, -1))
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return pixels, stream.getvalue()


def decoded(data: bytes) -> np.ndarray:
    """Return the pixels of an image file, float32 0..1."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), "float32") / 255


def by_requests(server: str, data: bytes, _: np.ndarray) -> np.ndarray:
    """Use requests, with Python's own values in the form."""
    import requests

    answer = requests.post(
        f"http://{server}/stylize",
        files={"image": ("photo.png", data)},
        data={"style": "udnie", "keep_colors": False, "strength": 1, "format": "png"},
        timeout=60,
    )
    answer.raise_for_status()
    return decoded(answer.content)


def by_triton(server: str, _: bytes, pixels: np.ndarray) -> np.ndarray:
    """Use Triton's client: health, metadata, statistics, tensors, gzip both ways."""
    import tritonclient.http as triton

    client = triton.InferenceServerClient(server, network_timeout=60)
    if not (client.is_server_ready() and client.is_model_ready("gallery")):
        raise SystemExit("the server is not ready")
    names = [one["name"] for one in client.get_model_metadata("gallery")["inputs"]]
    inputs = []
    for name, value in zip(names, (pixels[None] / np.float32(255), STYLE), strict=True):
        tensor = triton.InferInput(name, list(value.shape), "FP32")
        tensor.set_data_from_numpy(value)
        inputs.append(tensor)
    asked = [triton.InferRequestedOutput("picture", binary_data=True)]
    plain = client.infer("gallery", inputs, outputs=asked).as_numpy("picture")
    packed = client.infer(
        "gallery", inputs, outputs=asked, request_compression_algorithm="gzip"
    ).as_numpy("picture")
    np.testing.assert_array_equal(plain, packed)
    data = np.asarray([photograph()[1]], object)
    inputs[0] = triton.InferInput("image", [1], "BYTES")
    inputs[0].set_data_from_numpy(data)
    file = client.infer("gallery", inputs, outputs=asked).as_numpy("picture")[0]
    np.testing.assert_allclose(decoded(file), plain[0], atol=2 / 255)
    (counts,) = client.get_inference_statistics("gallery")["model_stats"]
    if counts["inference_stats"]["success"]["count"] < 3:
        raise SystemExit(f"the statistics have lost a request: {counts}")
    return plain[0]


def by_ovms(server: str, _: bytes, pixels: np.ndarray) -> np.ndarray:
    """Use the client of OpenVINO Model Server, with its defaults."""
    import ovmsclient

    client = ovmsclient.make_http_client(server)
    status = client.get_model_status("gallery")
    if {one["state"] for one in status.values()} != {"AVAILABLE"}:
        raise SystemExit(f"no model is available: {status}")
    client.get_model_metadata("gallery")
    inputs = {"image": pixels[None] / np.float32(255), "style": STYLE}
    found = client.predict(inputs, "gallery")
    return np.asarray(found["picture"] if isinstance(found, dict) else found)[0]


def by_openapi_python_client(server: str, data: bytes, _: np.ndarray) -> np.ndarray:
    """Generate a client by openapi-python-client, and paint with it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tool = Path(sys.executable).with_name("openapi-python-client")
        command = [str(tool), "generate", "--url", f"http://{server}/openapi.json"]
        command += ["--output-path", str(folder / "made"), "--meta", "none"]
        subprocess.run(command, check=True, cwd=folder)
        sys.path.insert(0, name)
        made = importlib.import_module("made")
        models = importlib.import_module("made.models")
        types = importlib.import_module("made.types")
        stylize = importlib.import_module("made.api.pictures.stylize")
        form = models.StylizeForm(
            image=types.File(io.BytesIO(data), "photo.png", "image/png"),
            style=models.StyleName.UDNIE,
            keep_colors=False,
            format_=models.PictureFormat.PNG,
        )
        client = made.Client(base_url=f"http://{server}", timeout=60)
        answer = stylize.sync_detailed(client=client, body=form)
        if answer.status_code != 200:
            raise SystemExit(f"{answer.status_code}: {answer.content[:300]!r}")
        return decoded(answer.content)


def by_openapi_generator(server: str, data: bytes, _: np.ndarray) -> np.ndarray:
    """Generate a client by openapi-generator, and paint with it."""
    with tempfile.TemporaryDirectory() as name:
        tool = Path(sys.executable).with_name("openapi-generator-cli")
        command = [str(tool), "generate", "-g", "python", "--package-name", "other"]
        command += ["-i", f"http://{server}/openapi.json", "-o", name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        sys.path.insert(0, name)
        other = importlib.import_module("other")
        configuration = other.Configuration(host=f"http://{server}")
        with other.ApiClient(configuration) as client:
            pictures = other.PicturesApi(client)
            found = pictures.stylize(
                image=("photo.png", data), style="udnie", format="png"
            )
            return decoded(bytes(found))


CLIENTS: dict[str, Callable[[str, bytes, np.ndarray], np.ndarray]] = {
    "requests": by_requests,
    "tritonclient": by_triton,
    "ovmsclient": by_ovms,
    "openapi-python-client": by_openapi_python_client,
    "openapi-generator": by_openapi_generator,
}


def main() -> int:
    """Paint with every client; return 1 if one does not paint what the first does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nst", type=Path, help="the command nst")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CLIENTS)}; all")
    given = parser.parse_args()
    names = given.names or list(CLIENTS)
    if shutil.which("java") is None and "openapi-generator" in names:
        names.remove("openapi-generator")
        print("openapi-generator: left out, there is no Java")
    pixels, data = photograph()
    failed = 0
    with serving(given.nst) as server:
        want = by_requests(server, data, pixels)
        for name in names:
            try:
                found = CLIENTS[name](server, data, pixels)
                gap = float(np.abs(found - want).max())
                verdict = f"paints, difference {gap:.4f}"
                bad = gap > 2 / 255
            except (Exception, SystemExit) as error:
                verdict, bad = f"{type(error).__name__}: {error}", True
            failed += bad
            print(f"{name}: {'FAILED, ' if bad else ''}{verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
