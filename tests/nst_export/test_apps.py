"""The samples for apps, run where they can be, else held to the model's card."""

import base64
import http.server
import json
import re
import subprocess
import sys
import threading
import tomllib
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
import yaml
from PIL import Image

from nst_export.runtime.encoder import PaintingEncoder, encoder_beside
from nst_export.runtime.engines.session import MULTIPLE
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_export.server.protocols.tensors import SIGNATURES
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from tests.helpers import ROOT, scene
from tests.serving import decoded, encoded, psnr, serving

APPS = ROOT / "export" / "apps"
KOTLIN = APPS / "android/app/src/main/java/io/github/nst/Stylizer.kt"
SWIFT = APPS / "ios/StyleTransfer/Stylizer.swift"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("serve")) as (_, where):
        yield where


def run(*command):
    return subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def fixed(tmp_path_factory):
    path = tmp_path_factory.mktemp("fixed") / "assets" / "style.tflite"
    done = run(APPS / "fix_size.py", "gallery", "512x384", path)
    assert done.returncode == 0, done.stderr
    return path


def test_the_python_client_paints(address, stylizer, tmp_path):
    save_image(tmp_path / "photo.png", scene(50, 66))
    files = tmp_path / "photo.png", "udnie", tmp_path / "out.png"
    done = run(APPS / "client.py", *files, address)
    assert done.returncode == 0, done.stderr
    photo = load_image(tmp_path / "photo.png").pixels
    expected = stylizer(photo, mix_weights(stylizer.styles, {"udnie": 1.0}))
    assert psnr(load_image(tmp_path / "out.png").pixels, expected) > 50
    save_image(tmp_path / "art.png", scene(60, 80, seed=2))
    own = tmp_path / "own.png"
    done = run(APPS / "client.py", files[0], tmp_path / "art.png", own, address)
    assert done.returncode == 0, done.stderr
    path = bundled("any")
    model = Stylizer.load(path)
    encoder = PaintingEncoder(encoder_beside(path, model.card))
    model = model.with_styles([encoder.style(tmp_path / "art.png", "art")])
    expected = model(photo, mix_weights(model.styles, {"art": 1.0}))
    assert psnr(load_image(own).pixels, expected) > 50
    done = run(APPS / "client.py", files[0], "no", files[2], address)
    assert "there is no style no" in done.stderr


def test_the_python_client_bears_a_proxy_before_the_server(tmp_path):
    class Proxy(http.server.BaseHTTPRequestHandler):
        answers = iter((503, 502))  # Without Retry-After, and without JSON.

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_error(next(self.answers))

        def log_message(self, *_):
            pass

    save_image(tmp_path / "photo.png", scene(20, 24))
    files = tmp_path / "photo.png", "udnie", tmp_path / "out.png"
    with http.server.HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        where = f"http://127.0.0.1:{proxy.server_port}"
        done = run(APPS / "client.py", *files, where)
        proxy.shutdown()
        thread.join()
    assert "RuntimeError: the answer was 502 Bad Gateway" in done.stderr
    assert not files[2].exists()


def test_the_kserve_client_paints(address, stylizer, tmp_path):
    save_image(tmp_path / "photo.png", scene(50, 66))
    files = tmp_path / "photo.png", tmp_path / "out.png"
    done = run(APPS / "openvino_model_server/request.py", *files, address)
    assert done.returncode == 0, done.stderr
    photo = load_image(files[0]).pixels
    expected = stylizer(photo, mix_weights(stylizer.styles, {stylizer.styles[0]: 1.0}))
    assert psnr(load_image(files[1]).pixels, expected) > 50


def test_the_samples_hold_a_telephones_photograph_upright(address, stylizer, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # Held upright: the file's rows are columns.
    files = tmp_path / "photo.png", tmp_path / "out.png"
    files[0].write_bytes(encoded(exif=exif))
    expected = stylizer(files[0], mix_weights(stylizer.styles, {"starry_night": 1.0}))
    assert expected.shape == (64, 48, 3)
    done = run(APPS / "openvino_model_server/request.py", *files, address)
    assert done.returncode == 0, done.stderr
    assert psnr(load_image(files[1]).pixels, expected) > 50
    assert "exif_transpose" in (APPS / "triton/request.py").read_text()
    # These do not turn it.
    assert "BitmapFactory.decode" not in KOTLIN.with_name("MainActivity.kt").read_text()
    assert "BitmapFactory::" not in KOTLIN.with_name("MainActivity.kt").read_text()
    assert "?.cgImage" not in SWIFT.with_name("StyleTransferApp.swift").read_text()


def test_the_request_for_tensorflow_serving_paints(address, stylizer):
    data = encoded()
    text = (APPS / "tensorflow_serving/request.json").read_text()
    body = text.replace("PHOTOGRAPH", base64.b64encode(data).decode())
    answer = httpx.post(
        f"{address}/v1/models/gallery:predict", content=body, timeout=60
    )
    found = base64.b64decode(answer.json()["predictions"][0]["b64"])
    expected = stylizer(
        decoded(data), mix_weights(stylizer.styles, {stylizer.styles[0]: 1})
    )
    assert psnr(decoded(found), expected) > 50


def test_the_containers_serve_what_nst_export_writes(stylizer):
    compose = yaml.safe_load((APPS / "tensorflow_serving/compose.yaml").read_text())
    (volume,) = compose["services"]["serving"]["volumes"]
    assert "/saved_model/${NAME:-gallery}:/models/${NAME:-gallery}:ro" in volume
    request = json.loads((APPS / "tensorflow_serving/request.json").read_text())
    signature = SIGNATURES[request["signature_name"]]
    assert set(request["instances"][0]) == {signature.image, "style"}
    compose = yaml.safe_load((APPS / "openvino_model_server/compose.yaml").read_text())
    volumes = compose["services"]["serving"]["volumes"]
    (model,) = json.loads((APPS / "openvino_model_server/config.json").read_text())[
        "model_config_list"
    ]
    assert any(f"{model['config']['base_path']}/1/model.onnx" in one for one in volumes)
    count = len(stylizer.styles) + 1
    assert model["config"]["shape"] == {"image": "(1,-1,-1,3)", "style": f"(1,{count})"}


def test_tritons_repository_describes_what_nst_export_writes(stylizer, tmp_path):
    import onnxruntime

    from nst_export.formats.onnx import to_onnx
    from tests.nst_export.trained import trained_network

    folder = APPS / "triton"
    text = (folder / "model_repository/gallery/config.pbtxt").read_text()
    found = {
        name: [int(side) for side in dims.split(",")]
        for name, dims in re.findall(r'name: "(\w+)".*dims: \[([^\]]*)\]', text)
    }
    network = trained_network().rebuilt(lowering="multiples")
    session = onnxruntime.InferenceSession(to_onnx(network, stylizer.card))
    for tensor in (*session.get_inputs(), *session.get_outputs()):
        batch, *sides = tensor.shape
        assert (batch, tensor.type) == ("batch", "tensor(float)")
        sides = [side if isinstance(side, int) else -1 for side in sides]
        if tensor.name == "style":  # The network of the test has another number.
            sides = [len(stylizer.styles) + 1]
        assert found.pop(tensor.name) == sides
    assert found == {}
    assert text.count("TYPE_FP32") == 3
    compose = yaml.safe_load((folder / "compose.yaml").read_text())
    _, volume = compose["services"]["triton"]["volumes"]
    assert volume.endswith(".onnx:/models/gallery/1/model.onnx:ro")
    compile((folder / "request.py").read_text(), "request.py", "exec")


def test_the_container_of_nst_serve_copies_what_is_there_and_starts(tmp_path):
    text = (APPS / "nst_serve/Dockerfile").read_text().replace("\\\n", " ")
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.M):
        *sources, _ = line.split()
        assert all((ROOT / source).exists() for source in sources)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extra,) = re.findall(r"'\.\[(\w+)\]'", text)
    assert extra in project["optional-dependencies"]
    nst, serve, *flags = json.loads(re.search(r"ENTRYPOINT (\[.*\])", text)[1])
    assert (nst, serve) == ("nst", "serve")
    flags[flags.index("--port") + 1] = "0"
    with serving(tmp_path, *flags) as (_, where):
        port = where.rpartition(":")[2]
        check = json.loads(re.search(r"HEALTHCHECK .*CMD\s+(\[.*\])", text)[1])
        program = check[-1].replace("8000", port)
        subprocess.run([sys.executable, "-c", program], check=True)


def test_a_file_of_one_size_is_the_model(fixed, stylizer):
    photo = scene(384, 512)
    weights = mix_weights(stylizer.styles, {"great_wave": 1.0}, strength=0.5)
    one = Stylizer.load(fixed)
    assert one.card == stylizer.card
    np.testing.assert_allclose(one(photo, weights), stylizer(photo, weights), atol=1e-4)
    assert tuple(one.session.inputs["image"]["shape_signature"]) == (1, 384, 512, 3)


@pytest.mark.parametrize("size", ["511x384", "8x8"])
def test_sizes_that_the_network_can_not_take_are_refused(tmp_path, size):
    done = run(APPS / "fix_size.py", "gallery", size, tmp_path / "x.tflite")
    assert done.returncode == 1
    assert "multiples of 4" in done.stderr


def listed(text):
    return re.findall(
        r'"(\w+)"', re.search(r"styles = (?:listOf\()?[\[(\s]*([^\])]*)", text, re.I)[1]
    )


def test_the_kotlin_sample_keeps_the_cards_contract(fixed, stylizer):
    from ai_edge_litert.compiled_model import CompiledModel

    text = KOTLIN.read_text()
    assert listed(text) == stylizer.styles
    numbers = {k: int(v) for k, v in re.findall(r"const val (\w+) = (\d+)", text)}
    size = numbers["HEIGHT"], numbers["WIDTH"]
    assert (1, *size, 3) == tuple(
        Stylizer.load(fixed).session.inputs["image"]["shape_signature"]
    )
    assert all(side % MULTIPLE == 0 for side in size)
    # The same runtime tells in which order the signature has its inputs.
    model = CompiledModel.from_file(str(fixed))
    names = model.get_signature_by_index(0)["inputs"]
    assert names.index("image") == numbers["IMAGE"]
    assert names.index("style") == numbers["STYLE"]
    manifest = APPS / "android/app/src/main/AndroidManifest.xml"
    assert ElementTree.parse(manifest).getroot().tag == "manifest"


def test_the_swift_sample_keeps_the_cards_contract(fixed, stylizer):
    text = SWIFT.read_text()
    assert listed(text) == stylizer.styles
    numbers = {k: int(v) for k, v in re.findall(r"let (width|height) = (\d+)", text)}
    shape = (1, numbers["height"], numbers["width"], 3)
    assert shape == tuple(
        Stylizer.load(fixed).session.inputs["image"]["shape_signature"]
    )
    # Told apart by rank: that must be enough.
    ranks = [
        len(d["shape"])
        for d in Stylizer.load(fixed).session.interpreter.get_input_details()
    ]
    assert sorted(ranks) == [2, 4]


CODE = [*KOTLIN.parent.glob("*.kt"), *SWIFT.parent.glob("*.swift")]


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_brackets_of_code_that_is_not_compiled_here_are_closed(path):
    text = re.sub(r'"[^"]*"|//[^\n]*|/\*.*?\*/', "", path.read_text(), flags=re.S)
    opened = []
    for character in text:
        if character in "([{":
            opened.append(character)
        elif character in ")]}":
            assert opened.pop() + character in ("()", "[]", "{}")
    assert opened == []
