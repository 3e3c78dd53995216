"""The server's life: flags, the first request to the last, new files."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from nst_export.runtime.stylizer import bundled
from nst_export.server.models import Models
from nst_export.server.settings import ServeSettings
from nst_tf.cli import main
from nst_tf.settings.checks import InputError
from tests.helpers import ROOT
from tests.serving import encoded, post, serving


def test_accepted_requests_are_finished_when_the_server_is_told_to_end(tmp_path):
    data, end = encoded("JPEG", 512, 512), time.monotonic() + 60
    with (
        serving(tmp_path, "--workers", "1") as (process, where),
        httpx.Client(base_url=where, timeout=60) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        work = [pool.submit(post, client, data, style="udnie") for _ in range(4)]
        while "nst_queue_waiting 3.0" not in httpx.get(f"{where}/metrics").text:
            assert time.monotonic() < end
            time.sleep(0.01)
        process.terminate()
        assert [future.result().status_code for future in work] == [200] * 4
        process.wait(timeout=30)
        with pytest.raises(httpx.ConnectError):
            httpx.get(where)


def test_a_new_file_is_taken_without_losing_a_request(tmp_path):
    model = tmp_path / "own.tflite"
    model.write_bytes(bundled().read_bytes())
    stop = threading.Event()
    codes = []

    def version(client):
        found = client.get("/v1/models/own").json()
        return found["model_version_status"][0]["version"]

    def wait_for(client, wanted):
        end = time.monotonic() + 60
        while version(client) != wanted:
            assert time.monotonic() < end
            time.sleep(0.1)

    with (
        serving(tmp_path, model) as (_, where),
        httpx.Client(base_url=where, timeout=60) as client,
    ):

        def ask():
            while not stop.is_set():
                codes.append(post(client, style="udnie").status_code)

        thread = threading.Thread(target=ask)
        thread.start()
        part = tmp_path / "part"
        part.write_bytes(bundled().read_bytes())
        part.replace(model)
        wait_for(client, "2")
        model.write_bytes(b"damaged")
        time.sleep(2.5)
        assert version(client) == "2"
        part.write_bytes(bundled().read_bytes())
        part.replace(model)
        wait_for(client, "3")
        stop.set()
        thread.join()
        assert len(codes) > 3
        assert set(codes) == {200}
    assert "own stays at version 2" in (tmp_path / "log.txt").read_text()


def test_a_model_whose_encoder_is_replaced_later_is_taken(tmp_path):
    names = ["any.tflite", "any-encoder.tflite"]
    files = [tmp_path / name for name in names]
    for file in files:
        file.write_bytes(bundled("any").with_name(file.name).read_bytes())
    models = Models(files[:1], workers=1, threads=1)
    network = models.get().card["network"]
    for file, version in zip(files, (1, 2), strict=True):
        data = file.read_bytes().replace(network.encode(), b"0123456789abcdef")
        file.write_bytes(data)  # Of a network that the other file is not of, yet.
        models.refresh()
        models.refresh()
        assert models.get().version == version
    assert models.get().encoders[0].network == "0123456789abcdef"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["no.tflite"], "there is no model no.tflite"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--deadline", "nan"], "deadline must be a finite number of at least 0.1"),
        (["--deadline", "inf"], "deadline must be a finite number of at least 0.1"),
        (["--port", "70000"], "port must be in 0..65535"),
        (["--max-size", "8", "--queue", "0"], "queue must be at least 1"),
        (["--host", "256.0.0.1"], "can't listen on 256.0.0.1:8000"),
        (["--host", ""], "host must be an address"),
        (["--allow-new-styles", "/dev/null"], "/dev/null is a file, not a folder"),
        (["--allow-new-styles", "/dev/null/x"], "no folder for new styles"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    capsys, monkeypatch, tmp_path, flags, message
):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["serve", *flags])
    except SystemExit as left:
        code = left.code
    assert code == 2
    said = capsys.readouterr().err
    assert message in " ".join("".join(c for c in said if c not in "│╭╮╰╯─").split())


def test_a_port_that_is_taken_is_refused(address, capsys):
    port = address.rpartition(":")[2]
    assert main(["serve", "--port", port]) == 2
    assert f"can't listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_two_models_of_one_name_are_refused(tmp_path, capsys):
    paths = [tmp_path / name / "own.tflite" for name in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(bundled().read_bytes())
    assert main(["serve", *map(str, paths)]) == 2
    assert "need different file names" in capsys.readouterr().err


@pytest.mark.parametrize(
    "origin",
    [
        "https://a.example/",
        "https://a.example/page",
        "a.example",
        "https://A.example",
        "https://a.example:443",
        "http://a.example:80",
        "https://a.example,https://b.example",
        "https://bücher.example",
        "",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(origin):
    with pytest.raises(InputError, match="cors takes origins as browsers send them"):
        ServeSettings(cors=("*", origin))


def test_origins_are_taken_as_browsers_send_them():
    origins = ("*", "null", "https://a.example", "http://localhost:3000")
    origins += ("http://[::1]:8000", "https://a.example:80", "capacitor://localhost")
    assert ServeSettings(cors=origins).cors == origins


def test_settings_are_checked():
    with pytest.raises(InputError, match="threads must be at least 1, got 0"):
        ServeSettings(threads=0)
    assert ServeSettings(threads=3, workers=9).threads_each == 3


def test_the_server_loads_neither_tensorflow_nor_keras():
    program = (
        "import sys, nst_export.server.run; "
        "assert not {'keras', 'tensorflow', 'jax', 'nst_training'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
