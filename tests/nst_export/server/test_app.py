"""What surrounds the protocols: unknown paths, other origins, metrics, pages."""

import datetime
import json
import os
import socket
import subprocess
import sys

import httpx

from nst_export.runtime.stylizer import Stylizer, bundled
from nst_export.server.app import make_app
from nst_export.server.settings import ServeSettings
from tests.helpers import PYTHONPATH
from tests.serving import encoded, refused, serving


def test_unknown_paths_and_methods_are_refused_in_json(http):
    refused(http.get("/nothing"), 404, "GET /nothing")
    refused(http.get("/../../etc/passwd"), 404)
    refused(http.get("/styles/..%2f..%2fetc/1/passwd.jpg"), 404)
    answer = http.delete("/stylize")
    refused(answer, 405)
    assert "POST" in answer.headers["allow"]


def test_no_other_origin_may_read_unless_asked(http, tmp_path):
    origin = {"Origin": "https://other.example"}
    assert (
        "access-control-allow-origin" not in http.get("/styles", headers=origin).headers
    )
    with serving(tmp_path, "--cors", "https://other.example") as (_, where):
        answer = httpx.get(f"{where}/styles", headers=origin)
        assert answer.headers["access-control-allow-origin"] == "https://other.example"
        stranger = httpx.get(
            f"{where}/styles", headers={"Origin": "https://no.example"}
        )
        assert "access-control-allow-origin" not in stranger.headers


def test_metrics_are_in_prometheus_form(http):
    from prometheus_client.parser import text_string_to_metric_families

    http.get("/healthz")
    http.get("/this/is/nothing")
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {f.name: f for f in text_string_to_metric_families(answer.text)}
    assert families["nst_model_version"].samples[0].labels == {"model": "gallery"}
    counted = {
        (s.labels["route"], s.labels["status"]): s.value
        for s in families["nst_requests"].samples
        if s.name.endswith("_total")
    }
    assert counted["/healthz", "200"] >= 1
    assert counted["none", "404"] >= 1
    assert "nst_request_seconds" in families


def test_the_pages_come_with_a_policy_that_loads_nothing_from_elsewhere(http):
    for path in ("/", "/docs", "/page.js", "/page.css", "/engine.js", "/icon.svg"):
        answer = http.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"].startswith(
            "default-src 'self'"
        )
        assert "http://" not in answer.text.replace("http://www.w3.org/", "")
        assert "https://" not in answer.text


def test_below_another_application_it_paints_though_its_lifespan_is_not_run():
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.testclient import TestClient

    app = make_app([bundled()], ServeSettings(workers=1, max_size=64))
    outer = Starlette(routes=[Mount("/paint", app=app)])
    with TestClient(outer, base_url="http://127.0.0.1") as client:
        ready = client.get("/paint/v2/health/ready")
        assert (ready.status_code, ready.json()) == (200, {"ready": True})
        files = {"image": ("a.png", encoded(), "image/png")}
        answer = client.post("/paint/stylize", files=files, data={"style": "udnie"})
        assert answer.status_code == 200
        styles = client.get("/paint/styles").json()["models"][0]["styles"]
        picture = client.get(f"/paint/{styles[0]['thumbnail']}")
        assert picture.headers["content-type"] == "image/jpeg"


def test_ready_is_no_longer_true_when_the_server_has_stopped():
    from starlette.testclient import TestClient

    app = make_app([bundled()], ServeSettings(workers=1))
    for _ in range(2):  # A lifespan may follow another.
        with TestClient(app, base_url="http://127.0.0.1") as client:
            assert client.get("/v2/models/gallery/ready").json()["ready"] is True
        for path in ("/v2/health/ready", "/v2/models/gallery/ready"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["ready"]) == (503, False)


def test_every_request_is_a_line_of_json_if_that_is_asked_for(tmp_path):
    sent = encoded()
    with serving(tmp_path, "--log-format", "json") as (_, where):
        kind = {"Content-Type": "image/png"}
        url = f"{where}/stylize?style=udnie"
        answer = httpx.post(url, content=sent, headers=kind, timeout=60)
        httpx.get(f"{where}/not%0A%22there")
        host, port = where.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as plain:
            plain.sendall(b"no HTTP\x00\r\n\r\n")
            assert plain.recv(1000).startswith(b"HTTP/1.1 400 ")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    # LiteRT says a line of its own when it starts.
    lines = [json.loads(line) for line in lines if not line.startswith("INFO: Created")]
    first, second = (one for one in lines if one["logger"] == "nst.access")
    assert datetime.datetime.fromisoformat(first.pop("time"))
    assert first.pop("milliseconds") > 0
    assert first == {
        "level": "INFO",
        "logger": "nst.access",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/stylize",
        "query": "style=udnie",
        "status": answer.status_code,
        "request_bytes": len(sent),
        "response_bytes": len(answer.content),
    }
    assert (second["method"], second["status"]) == ("GET", 404)
    (warning,) = (one for one in lines if one["level"] == "WARNING")
    assert warning["message"] == "Invalid HTTP request received."


def test_every_request_is_a_line_of_text_if_that_is_asked_for(tmp_path):
    with serving(tmp_path, "--log-format", "text") as (_, where):
        httpx.get(f"{where}/healthz")
    (line,) = (
        one
        for one in (tmp_path / "log.txt").read_text().splitlines()
        if "/healthz" in one
    )
    assert "127.0.0.1 GET '/healthz' 200" in line


def test_a_quiet_server_logs_the_requests_that_it_is_asked_to_log(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "nst_tf", "serve", "--quiet", "--port", str(port)]
    with (tmp_path / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [*command, "--log-format", "text"],
            env={**os.environ, "PYTHONPATH": PYTHONPATH},
            stdout=subprocess.PIPE,
            stderr=log,
        )
        transport = httpx.HTTPTransport(retries=8)  # Waits 0.5, 1, 2 and so on.
        with httpx.Client(transport=transport) as client:
            client.get(f"http://127.0.0.1:{port}/healthz", timeout=60)
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert said == b""
    assert "GET '/healthz' 200" in (tmp_path / "log.txt").read_text()


def test_a_fault_of_the_server_is_logged_and_counted_as_500(monkeypatch, caplog):
    from starlette.testclient import TestClient

    def broken(*_):
        raise RuntimeError("broken")

    settings = ServeSettings(workers=1, log_format="json")
    app = make_app([bundled()], settings)
    monkeypatch.setattr(Stylizer, "__call__", broken)
    caplog.set_level("INFO")
    with TestClient(
        app, base_url="http://127.0.0.1", raise_server_exceptions=False
    ) as client:
        files = {"image": ("a.png", encoded(), "image/png")}
        answer = client.post("/stylize", files=files, data={"style": "udnie"})
        refused(answer, 500, "its log has the reason")
        line = 'nst_requests_total{route="/stylize",status="500"} 1'
        assert line in client.get("/metrics").text
        (model,) = client.get("/v2/models/gallery/stats").json()["model_stats"]
        assert model["inference_stats"]["fail"]["count"] == 1
    (facts,) = (
        record.facts
        for record in caplog.records
        if record.name == "nst.access" and record.facts["path"] == "/stylize"
    )
    assert facts["status"] == 500
