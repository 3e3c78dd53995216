"""What surrounds the protocols: unknown paths, other origins, metrics, pages."""

import httpx

from tests.serving import refused, serving


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
