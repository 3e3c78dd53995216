"""A page on this machine that shows a run as it goes and changes its weights.

The server listens on 127.0.0.1 alone. Its address holds a secret, so that neither
another user of the machine nor a page of another site can read or steer the run; and
it answers only to its own host name, against DNS rebinding.

Reference:
    RFC 6454 (origins), https://www.rfc-editor.org/rfc/rfc6454
"""

import hmac
import json
import math
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from nst_tf.imaging.write import to_jpeg
from nst_tf.painting.events import Step
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import TERMS, paints

PATIENCE = 120.0
"""Seconds after the last look at the page when a pause ends: a closed page must not
stop the run."""
_WATCHED = 5.0
"""Seconds after the last look at the page in which pictures are kept for it."""
_LONGEST = 4096
"""Bytes of the longest message that is read."""
_PLACE = "/* TERMS */ []"
"""Where the page takes the names of the terms."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline'; img-src blob: data:"
    "; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class LiveView:
    """Serves the page while it is entered; call `observe` after every step.

    Args:
        total: Evaluations of the whole run.
        weights: Weights of the terms at the start, in the order of `TERMS`.
        name: What the page calls the run.
        port: Port to listen on; 0 takes a free one.
        note: Called with a line for the log when something was changed.

    Raises:
        InputError: The port can't be had.

    Example:
        >>> with LiveView(total=230, weights=(1.0, 100.0, 5.0)) as view:
        ...     print(view.address)
        ...     optimize_image(photo, painting, settings, observer=view.observe)
    """

    def __init__(
        self,
        *,
        total: int,
        weights: tuple[float, ...],
        name: str = "",
        port: int = 0,
        note: Callable[[dict[str, Any]], None] = lambda line: None,
    ) -> None:
        self._note, self._changed = note, threading.Condition()
        self._points: list[list[float]] = []
        self._picture: np.ndarray | None = None
        self._asked: tuple[float, ...] | None = None
        self._seen = -math.inf
        self._state: dict[str, Any] = {
            "name": name,
            "evaluation": 0,
            "evaluations": total,
            "size": [0, 0],
            "start": list(weights),
            "weights": list(weights),
            "paused": False,
            "ended": "",
        }
        self._secret = secrets.token_urlsafe(18)
        page = Path(__file__).with_name("live.html")
        self._page = page.read_text("utf-8").replace(_PLACE, json.dumps(TERMS)).encode()
        try:
            self._server = _Server(("127.0.0.1", port), self._handler())
        except (OSError, OverflowError) as error:
            raise InputError(
                f"can't serve the live view on port {port}: {error}; choose another"
                " --live-port, or 0 for any that is free"
            ) from error
        self.port = int(self._server.server_address[1])
        self.address = f"http://127.0.0.1:{self.port}/{self._secret}/"

    def __enter__(self) -> "LiveView":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def observe(
        self, step: Step, *, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        """Take in a step; wait while the run is paused; make the changes asked for.

        Args:
            step: From `optimize_image`.
            stopped: Asked during a pause whether the run is to end.
        """
        parts = step.loss
        with self._changed:
            self._points.append([step.evaluation, *map(float, parts.flat().values())])
            self._state["evaluation"] = step.evaluation
            self._state["size"] = list(step.size)
            self._state["weights"] = list(step.weights)
            if self._watched(_WATCHED) or step.evaluation == 1:
                self._picture = step.image()
            if self._state["paused"]:
                self._pause(step, stopped)
            if self._asked is not None and self._asked != tuple(step.weights):
                step.weigh(*self._asked)
                self._state["weights"] = list(self._asked)
                named = {
                    f"{name}_weight": value
                    for name, value in zip(TERMS, self._asked, strict=True)
                }
                self._note({"event": "weights", "evaluation": step.evaluation, **named})
            self._asked = None

    def finish(self, reason: str, pixels: np.ndarray) -> None:
        """Show the last picture and why the run ended; let an open page see it."""
        with self._changed:
            self._state["ended"], self._picture = reason, pixels
            self._state["paused"] = False
            if self._watched(_WATCHED):
                self._changed.wait_for(lambda: self._state.get("told"), timeout=3.0)
        time.sleep(0.5 if self._state.get("told") else 0.0)  # For the last picture.

    def _pause(self, step: Step, stopped: Callable[[], bool]) -> None:
        began = time.monotonic()
        self._picture = step.image()
        self._note({"event": "paused", "evaluation": step.evaluation})
        while self._state["paused"] and not stopped():
            self._changed.wait(0.2)
            if not self._watched(PATIENCE):
                self._state["paused"] = False
        seconds = round(time.monotonic() - began, 3)
        self._note(
            {"event": "resumed", "evaluation": step.evaluation, "paused": seconds}
        )

    def _watched(self, seconds: float) -> bool:
        return time.monotonic() - self._seen < seconds

    def _report(self, after: int) -> dict[str, Any]:
        """Return the state and the losses after an evaluation, for the page."""
        with self._changed:
            self._seen = time.monotonic()
            if self._state["ended"]:
                self._state["told"] = True
                self._changed.notify_all()
            points = [point for point in self._points if point[0] > after]
            weights = self._asked or self._state["weights"]
            return {**self._state, "weights": list(weights), "points": points}

    def _change(self, kind: str, values: Any) -> None:
        """Do what the page asks for; raise ValueError for what makes no sense."""
        if not isinstance(values, dict):
            raise ValueError("an object is needed")
        with self._changed:
            if kind == "pause":
                if not isinstance(values.get("paused"), bool):
                    raise ValueError("paused must be true or false")
                self._seen = time.monotonic()
                self._state["paused"] = values["paused"] and not self._state["ended"]
            else:
                weights = {name: float(values[name]) for name in TERMS}
                numbers = tuple(weights.values())
                if not all(math.isfinite(x) and 0 <= x <= 1e12 for x in numbers):
                    raise ValueError("weights must be numbers from 0 to 1e12")
                if not paints(weights):
                    raise ValueError("content and style can't both weigh 0")
                self._asked = numbers
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        view = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                path = self._path()
                if path == "":
                    self._answer(200, view._page, "text/html; charset=utf-8")
                elif path == "state":
                    query = parse_qs(urlsplit(self.path).query)
                    given = query.get("after", ["0"])[0]
                    after = int(given) if given.isdecimal() else 0
                    self._json(200, view._report(after))
                elif path == "picture" and (picture := view._picture) is not None:
                    self._answer(200, to_jpeg(picture), "image/jpeg")
                elif path is not None:
                    self._json(404, {"error": "there is nothing here"})

            def do_POST(self) -> None:
                path = self._path()
                if path is None:
                    return
                length = self.headers.get("Content-Length", "")
                if path not in ("weights", "pause"):
                    self._json(404, {"error": "there is nothing here"})
                elif not length.isdecimal() or int(length) > _LONGEST:
                    self._json(413, {"error": f"at most {_LONGEST} bytes are read"})
                elif self.headers.get_content_type() != "application/json":
                    self._json(415, {"error": "only application/json is read"})
                else:
                    try:
                        view._change(path, json.loads(self.rfile.read(int(length))))
                    except (ValueError, TypeError, KeyError, RecursionError) as error:
                        self._json(400, {"error": str(error) or "not understood"})
                    else:
                        self._json(200, {})

            def _path(self) -> str | None:
                """Return what is asked for; answer and return None if it may not be."""
                hosts = (f"127.0.0.1:{view.port}", f"localhost:{view.port}")
                origins = [f"http://{host}" for host in hosts]
                secret, _, path = urlsplit(self.path).path[1:].partition("/")
                if self.headers.get("Host") not in hosts:
                    self._json(403, {"error": "this host name is not served"})
                elif self.headers.get("Origin", origins[0]) not in origins:
                    self._json(403, {"error": "this origin may not ask"})
                elif not hmac.compare_digest(secret.encode(), view._secret.encode()):
                    self._json(404, {"error": "there is nothing here"})
                else:
                    return path
                return None

            def _json(self, status: int, values: dict[str, Any]) -> None:
                self._answer(status, json.dumps(values).encode(), "application/json")

            def _answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                for name, value in _HEADERS.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep the terminal for the progress bar."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False

    def handle_error(self, *_: object) -> None:
        """Say nothing of browsers that hang up."""
