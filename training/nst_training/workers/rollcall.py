"""The workers meet before JAX does, and hear of it when one is gone.

The first worker listens; each of the others connects to it, says who it is and what it
is about to do, and keeps the line open until it ends. Lines are JSON. JAX itself would
end a process whose peer is gone with a stack trace, and waits for one that does not
come for minutes.
"""

import contextlib
import json
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nst_tf.running.identity import RunIdentity
from nst_tf.settings.checks import InputError
from nst_training.workers.place import Place

_HELLO = "nst train"
_SECONDS = 3.0
"""How long one that is connected may take to say who it is."""
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}
"""A host that answers nothing is given up after 30 seconds."""


class Line:
    """A connection on which either side says one JSON object a line."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):  # Not all systems have all of them.
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._read = b""

    def fileno(self) -> int:
        """Return what `multiprocessing.connection.wait` waits for."""
        return self.socket.fileno()

    def say(self, **words: Any) -> None:
        """Say something; one who is gone does not hear it."""
        with contextlib.suppress(OSError):
            self.socket.sendall(json.dumps(words).encode() + b"\n")

    def hear(self, seconds: float | None = None) -> dict[str, Any] | None:
        """Return what is said next, None when the other is gone or says nothing."""
        try:
            self.socket.settimeout(seconds)
            while b"\n" not in self._read:
                part = self.socket.recv(65_536)
                if not part:
                    return None
                self._read += part
            line, _, self._read = self._read.partition(b"\n")
            self.socket.settimeout(None)
            said = json.loads(line)
        except (OSError, ValueError):
            return None
        return said if isinstance(said, dict) else None


@contextlib.contextmanager
def meeting(place: Place, wait: float) -> Iterator[dict[int, Line]]:
    """Connect with the other workers; yield the connections, which end with the block.

    Args:
        place: This worker's.
        wait: Seconds in which all must have come.

    Raises:
        InputError: Some have not.
    """
    with contextlib.ExitStack() as stack:
        gather = _gathered if place.share.rank == 0 else _connected
        yield gather(stack, place, time.monotonic() + wait, wait)


def compared(place: Place, lines: Mapping[int, Line], facts: Mapping[str, Any]) -> str:
    """Agree on what is done; return the address for JAX.

    Args:
        place: This worker's.
        lines: From `meeting`.
        facts: JSON-ready; those of all workers must be equal.

    Raises:
        InputError: A worker is about to do something else, or is gone.
    """
    identity = RunIdentity(facts, other="another run", hint="")
    if place.share.rank:
        lines[0].say(facts=identity.facts)
        said = lines[0].hear() or {}
        if "coordinator" not in said:
            raise InputError(
                said.get("error") or "worker 0 has ended: see what it says"
            )
        return str(said["coordinator"])
    try:
        for rank, line in sorted(lines.items()):
            said = line.hear() or {}
            if "facts" not in said:
                ended = f"worker {rank} has ended: see what it says"
                raise InputError(said.get("error") or ended)
            identity.check(said["facts"], Path(f"worker {rank}"))
    except InputError as error:
        for line in lines.values():
            line.say(error=str(error))
        raise
    coordinator = f"{place.host}:{free_port()}"
    for line in lines.values():
        line.say(coordinator=coordinator)
    return coordinator


def refuse(lines: Mapping[int, Line], why: str) -> None:
    """Tell the others that this worker can't take part."""
    for line in lines.values():
        line.say(error=why)


def _gathered(
    stack: contextlib.ExitStack, place: Place, deadline: float, wait: float
) -> dict[int, Line]:
    """Return the connections of all others, which come to this worker."""
    missing = set(range(1, place.share.count))
    lines: dict[int, Line] = {}
    with _listening(place) as server:
        while missing:
            server.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                connection, _ = server.accept()
            except TimeoutError:
                names = ", ".join(map(str, sorted(missing)))
                why = (
                    f"worker {names} did not come to {place.address} within {wait:g} s"
                )
                refuse(lines, why)
                raise InputError(f"{why}; --wait SECONDS waits longer") from None
            line = Line(stack.enter_context(connection))
            said = line.hear(_SECONDS) or {}
            rank, count = said.get("rank"), said.get("count")
            if said.get("hello") != _HELLO:
                connection.close()  # Someone else's.
            elif count != place.share.count or rank not in missing:
                why = (
                    f"there is a worker {rank} of {count} where those of"
                    f" {place.share.count} meet, each once"
                )
                refuse({**lines, -1: line}, why)
                raise InputError(why)
            else:
                missing.remove(rank)
                lines[rank] = line
                line.say(hello=_HELLO)
    return lines


@contextlib.contextmanager
def _listening(place: Place) -> Iterator[socket.socket]:
    try:
        family, dual = socket.AF_INET, False
        if socket.has_dualstack_ipv6():
            family, dual = socket.AF_INET6, True
        server = socket.create_server(
            ("", place.port), family=family, dualstack_ipv6=dual
        )
    except OSError as error:
        raise InputError(f"can't wait for workers at port {place.port}: {error}") from (
            error
        )
    with server:
        yield server


def _connected(
    stack: contextlib.ExitStack, place: Place, deadline: float, wait: float
) -> dict[int, Line]:
    """Return the connection to the first worker."""
    connection = reach(place.host, place.port, deadline)
    if connection is None:
        raise InputError(
            f"nothing answers at {place.address} within {wait:g} s: is worker 0"
            " started there? --wait SECONDS waits longer"
        )
    line = Line(stack.enter_context(connection))
    line.say(hello=_HELLO, rank=place.share.rank, count=place.share.count)
    said = line.hear(max(_SECONDS, deadline - time.monotonic())) or {}
    if said.get("hello") != _HELLO:
        raise InputError(
            said.get("error") or f"what answers at {place.address} is no nst train"
        )
    return {0: line}


def reach(host: str, port: int, deadline: float) -> socket.socket | None:
    """Return a connection, None if nothing answers until a time of `monotonic`."""
    while (left := deadline - time.monotonic()) > 0:
        try:
            return socket.create_connection((host, port), timeout=left)
        except OSError:  # A name may be known later, too.
            time.sleep(min(0.2, left))
    return None


def free_port() -> int:
    """Return the number of a port that nothing listens at."""
    with socket.create_server(("", 0)) as probe:
        return int(probe.getsockname()[1])
