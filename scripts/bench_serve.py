"""Benchmark of nst serve: overhead, throughput, 64 clients, memory."""

import argparse
import asyncio
import contextlib
import io
import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf.imaging.scene import landscape

SIDE, SMALL = 512, 96
"""Side in pixels of the timed photographs, and of those of the load."""


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="overhead,throughput,load")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs")
    parts = given.parts.split(",")
    if "overhead" in parts:
        overhead(given.rounds)
    if "throughput" in parts:
        throughput(given.rounds)
    if "load" in parts:
        load(given.clients, given.seconds)


@contextlib.contextmanager
def serving(*flags: str) -> Iterator[tuple[int, str]]:
    """Run a server; yield process number and address."""
    command = [sys.executable, "-m", "nst_tf", "serve", "--port", "0", *flags]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        yield process.pid, process.stdout.readline().split()[0]
        process.terminate()


def photograph(side: int, kind: str = "JPEG") -> bytes:
    """Return the scene as a file."""
    stream = io.BytesIO()
    pixels = np.uint8(255 * landscape(side, side))
    Image.fromarray(pixels).save(stream, kind, quality=90)
    return stream.getvalue()


def ask(client: httpx.Client, data: bytes, kind: str = "jpeg") -> httpx.Response:
    """Paint one photograph."""
    headers = {"Content-Type": f"image/{kind}"}
    answer = client.post("stylize?style=udnie", content=data, headers=headers)
    answer.raise_for_status()
    return answer


def overhead(rounds: int, each: int = 12) -> None:
    """Time requests without what the network itself took, as the server tells it.

    Beside it the whole request against the bare runtime in this process, in turn.
    """
    stylizer = Stylizer.load(bundled(), threads=1)
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    photo = landscape(SIDE, SIDE)
    with (
        serving("--workers", "1", "--threads", "1") as (_, where),
        httpx.Client(base_url=where, timeout=120) as client,
    ):
        for kind in ("jpeg", "png"):
            data = photograph(SIDE, kind.upper())
            around, ratios = [], []
            ask(client, data, kind)
            stylizer(photo, weights)
            for _ in range(rounds * each):
                start = time.perf_counter()
                answer = ask(client, data, kind)
                took = time.perf_counter() - start
                timing = answer.headers["server-timing"]
                painted = float(re.search(r"paint;dur=([\d.]+)", timing)[1])  # type: ignore[index]
                around.append(1e3 * took - painted)
                start = time.perf_counter()
                stylizer(photo, weights)
                ratios.append(took / (time.perf_counter() - start))
            print(
                f"Overhead of a {SIDE}x{SIDE} {kind}: median"
                f" {np.median(around):.1f} ms, 90 % within"
                f" {np.percentile(around, 90):.1f} (<= 25); whole request / bare"
                f" runtime {np.median(ratios):.3f}"
            )


def throughput(rounds: int, each: int = 12) -> None:
    """Compare two workers with two threads that call the runtime."""
    stylizers = [Stylizer.load(bundled(), threads=1) for _ in range(2)]
    weights = mix_weights(stylizers[0].styles, {"udnie": 1.0})
    photo, data = landscape(SIDE, SIDE), photograph(SIDE)
    ratios, rates = [], []
    with (
        serving("--workers", "2", "--threads", "1") as (_, where),
        httpx.Client(base_url=where, timeout=120) as client,
    ):

        def bare(index: int) -> None:
            for _ in range(each // 2):
                stylizers[index](photo, weights)

        def served(_: int) -> None:
            for _ in range(each // 4):
                ask(client, data)

        for turn in range(rounds + 1):
            own, theirs = at_once(bare, 2), at_once(served, 4)
            if turn:
                ratios.append(own / theirs)
                rates.append(each / theirs)
    print(
        f"Throughput of 2 workers: {np.median(rates):.2f} pictures a second,"
        f" {np.median(ratios):.3f} of the runtime's own (>= 0.9;"
        f" {', '.join(f'{ratio:.3f}' for ratio in ratios)})"
    )


def at_once(work: object, count: int) -> float:
    """Return the seconds that `count` threads need together."""
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]  # type: ignore[arg-type]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def load(clients: int, seconds: float, least: int = 2000) -> None:
    """Let many clients ask at once; count answers, compare the memory at rest."""
    with serving("--workers", "2", "--threads", "1") as (pid, where):
        asyncio.run(rush(where, clients, 0.0, least // 5))
        start = resident(pid)
        found = asyncio.run(rush(where, clients, seconds, least))
        end = resident(pid)
    asked = found.pop("asked")
    answered = sum(found.values())
    print(
        f"{clients} clients for {seconds:.0f} s: {asked} requests, {answered} answers"
        f" {dict(found)}; memory {start / 2**20:.0f} MiB before,"
        f" {end / 2**20:.0f} MiB after ({end / start - 1:+.1%}; at most +5 %)"
    )
    if set(found) - {200, 503} or asked != answered or end / start > 1.05:
        sys.exit("the load was not borne")


async def rush(where: str, clients: int, seconds: float, least: int) -> Counter[object]:
    """Ask for so long, and for so many paintings; return the count of every status."""
    found: Counter[object] = Counter()
    files = [photograph(side) for side in (SMALL, SMALL * 3 // 2, SMALL * 2)]
    begin = time.monotonic()
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=where, timeout=120, limits=limits) as client:

        async def one() -> None:
            while time.monotonic() - begin < seconds or found[200] < least:
                data = files[found["asked"] % len(files)]
                found["asked"] += 1
                try:
                    answer = await client.post(
                        "stylize?mix=udnie=1,the_scream=1",
                        content=data,
                        headers={"Content-Type": "image/jpeg"},
                    )
                except httpx.HTTPError as error:
                    found[type(error).__name__] += 1
                    continue
                found[answer.status_code] += 1
                if answer.status_code == 503:
                    await asyncio.sleep(float(answer.headers["retry-after"]))

        await asyncio.gather(*(one() for _ in range(clients)))
    return found


def resident(pid: int) -> int:
    """Return a process' resident memory in bytes (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
