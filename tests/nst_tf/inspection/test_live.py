"""The live view over HTTP."""

import http.client
import io
import json
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from nst_tf import InputError
from nst_tf.cli import main
from nst_tf.imaging.metadata import read_settings
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import to_bytes
from nst_tf.inspection.live import LiveView
from nst_tf.loss.parts import LossParts
from nst_tf.painting.events import Step
from nst_tf.painting.schedule import Size
from tests.helpers import CONTENT, ROOT, STYLE
from tests.nst_tf.commands.test_optimize import FLAGS, lines

WEIGHTS = (1.0, 100.0, 5.0)


class Client:
    """What the page does, without the page."""

    def __init__(self, address):
        parts = urlsplit(address)
        self.host, self.port, self.path = parts.hostname, parts.port, parts.path

    def ask(self, path, values=None, *, root=None, **headers):
        """Return status, headers and body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        method = "GET" if values is None else "POST"
        body = None if values is None else json.dumps(values)
        sent = {"Content-Type": "application/json"} if values is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, (root or self.path) + path, body, sent)
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def state(self, after=0):
        status, _, body = self.ask(f"state?after={after}")
        assert status == 200
        return json.loads(body)

    def wait(self, until, seconds=120):
        end = time.monotonic() + seconds
        while not until(state := self.state()):
            assert time.monotonic() < end, state
            time.sleep(0.02)
        return state


@pytest.fixture
def view():
    with LiveView(total=10, weights=WEIGHTS, name="out.png") as view:
        yield view


def step(evaluation, told=None, weights=WEIGHTS):
    return Step(
        stage=0,
        size=Size(56, 40),
        depth="whole",
        step=evaluation,
        evaluation=evaluation,
        loss=LossParts(6.0, {"content": 1.0, "style": 3.0, "tv": 2.0}),
        seconds=1.0,
        image=lambda: CONTENT,
        weights=weights,
        weigh=lambda *values: told.append(values),
    )


def test_the_page_needs_nothing_from_elsewhere(view):
    status, headers, body = Client(view.address).ask("")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert b"://" not in body


def test_the_page_has_a_slider_and_a_curve_for_every_term_of_the_loss(view):
    page = Client(view.address).ask("")[2].decode()
    assert 'const TERMS = ["content", "style", "tv"];' in page
    assert "/* TERMS */" not in page


def test_only_this_machine_is_listened_to(view):
    assert view.address.startswith(f"http://127.0.0.1:{view.port}/")
    assert view._server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({}, 200),
    ],
)
def test_another_host_name_or_origin_is_refused(view, headers, status):
    client = Client(view.address)
    assert client.ask("pause", {"paused": True}, **headers)[0] == status
    assert view._state["paused"] == (status == 200)


def test_without_the_secret_there_is_nothing(view):
    client = Client(view.address)
    for root in ("/", "/wrong/", "/%00/", client.path[:-2] + "/"):
        assert client.ask("", root=root)[0] == 404
        assert client.ask("state", root=root)[0] == 404
        assert client.ask("pause", {"paused": True}, root=root)[0] == 404


@pytest.mark.parametrize(
    "values",
    [
        {"content": -1, "style": 1, "tv": 1},
        {"content": float("nan"), "style": 1, "tv": 1},
        {"content": 0, "style": 0, "tv": 1},
        {"content": "much", "style": 1, "tv": 1},
        {"content": 1},
        [1, 2, 3],
        "x" * 5000,
    ],
)
def test_weights_that_make_no_sense_change_nothing(view, values):
    status, _, body = Client(view.address).ask("weights", values)
    assert status in (400, 413)
    assert json.loads(body)["error"]
    assert Client(view.address).state()["weights"] == list(WEIGHTS)


def test_a_port_that_is_taken_is_said(view):
    with pytest.raises(InputError, match=f"port {view.port}.*--live-port"):
        LiveView(total=1, weights=WEIGHTS, port=view.port)


def test_the_page_gets_the_picture_and_the_losses_since_it_asked(view):
    client = Client(view.address)
    assert client.ask("picture")[0] == 404
    for number in (1, 2, 3):
        view.observe(step(number))
    state = client.state(after=1)
    assert state["points"] == [[2, 6.0, 1.0, 3.0, 2.0], [3, 6.0, 1.0, 3.0, 2.0]]
    assert (state["evaluation"], state["size"]) == (3, [56, 40])
    status, headers, body = client.ask("picture")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert body[:3] == b"\xff\xd8\xff"


def test_a_pause_holds_the_run_until_the_page_lets_it_go(view):
    client, told = Client(view.address), []
    client.ask("pause", {"paused": True})
    run = threading.Thread(target=view.observe, args=(step(1, told),))
    run.start()
    run.join(0.5)
    assert run.is_alive()
    client.ask("weights", {"content": 2, "style": 30, "tv": 0})
    client.ask("pause", {"paused": False})
    run.join(10)
    assert not run.is_alive()
    assert told == [(2.0, 30.0, 0.0)]


def test_a_pause_ends_with_the_run_and_when_nobody_looks(view, monkeypatch):
    client = Client(view.address)
    client.ask("pause", {"paused": True})
    view.observe(step(1), stopped=lambda: True)
    monkeypatch.setattr("nst_tf.inspection.live.PATIENCE", 0.3)
    client.ask("pause", {"paused": True})
    view.observe(step(2))
    assert not client.state()["paused"]


def test_a_live_run_is_steered_over_http_and_like_repeats_it(pair, tmp_path):
    out = tmp_path / "out.png"
    command = [sys.executable, "-m", "nst_tf", "optimize", *map(str, pair)]
    command += ["-o", str(out), *FLAGS, "--steps", "400", "--live", "--quiet"]
    command += ["--network", "lite"]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    said = process.stderr.readline()
    client = Client(said.removeprefix("live view: ").strip())
    client.wait(lambda state: state["evaluation"] >= 2)
    client.ask("pause", {"paused": True})
    before = client.state()
    time.sleep(0.5)
    held = client.state()["evaluation"]
    time.sleep(0.5)
    assert client.state()["evaluation"] == held <= before["evaluation"] + 1
    weights = {"content": 1, "style": 3, "tv": 50}
    assert client.ask("weights", weights)[0] == 200
    assert client.ask("picture")[2][:3] == b"\xff\xd8\xff"
    client.ask("pause", {"paused": False})
    client.wait(lambda state: state["evaluation"] > held)
    # The page is closed here; the run goes on to its end.
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    *steps, saved = lines(out.with_suffix(".jsonl"))
    events = [line for line in steps if "event" in line]
    assert [line["event"] for line in events] == ["paused", "resumed", "weights"]
    assert events[-1] == {
        "event": "weights",
        "evaluation": held,
        "content_weight": 1,
        "style_weight": 3,
        "tv_weight": 50,
    }
    assert saved["reason"] == "finished"
    changes = read_settings(out)["settings"]["weight_changes"]
    assert changes == [0, *WEIGHTS, held, 1, 3, 50]
    again = tmp_path / "again.png"
    command = ["optimize", *map(str, pair), "-o", str(again), "--quiet"]
    assert main([*command, "--like", str(out)]) == 0
    np.testing.assert_array_equal(load_image(again).pixels, load_image(out).pixels)


def test_settings_of_the_page_that_make_no_sense_are_refused(pair, tmp_path):
    for flags in (["--live-port", "70000"], ["--live-port", "-1"]):
        command = ["optimize", *map(str, pair), "-o", str(tmp_path / "out.png")]
        with pytest.raises(SystemExit) as left:
            main([*command, *flags])
        assert left.value.code == 2


def test_the_picture_on_the_page_is_the_last_one(view):
    client = Client(view.address)
    client.state()
    end = threading.Thread(target=view.finish, args=("finished", STYLE))
    end.start()
    state = client.wait(lambda state: state["ended"])
    assert state["ended"] == "finished"
    end.join(10)
    shown = np.asarray(Image.open(io.BytesIO(client.ask("picture")[2])))
    assert np.abs(shown.astype(float) - to_bytes(STYLE)).mean() < 12
