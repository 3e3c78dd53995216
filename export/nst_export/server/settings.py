"""Settings of `nst serve`."""

import dataclasses
import os
import re
from pathlib import Path
from typing import Literal

from nst_tf.settings.checks import MIN_SIDE, all_at_least, at_least, reject, within

_ORIGIN = re.compile(
    r"\*|null|(?!http://.*:80$|https://.*:443$)[a-z][a-z0-9+.-]*://[a-z0-9._:\[\]-]+"
)
"""What a browser sends as an origin, or all of them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Where to listen, and how much to take on."""

    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 for every network."""
    port: int = 8000
    """The port; 0 chooses a free one."""
    workers: int = 2
    """Pictures painted at the same time."""
    threads: int | None = None
    """Threads a picture; without it the cores divided among the workers. A SavedModel
    takes all."""
    queue: int = 32
    """Requests that may wait for a worker; more get 503."""
    deadline: float = 30.0
    """Seconds that a request may take, upload and waiting included."""
    max_bytes: int = 20_000_000
    """Largest body of a request."""
    max_pixels: int = 40_000_000
    """Largest photograph that is decoded, in pixels."""
    max_size: int = 1536
    """Largest long side in pixels that is painted; the gallery takes 0.4 GiB of memory
    a megapixel, for each worker."""
    cors: tuple[str, ...] = ()
    """Web origins whose pages may call, such as https://pages.example, or * for all;
    without it only the server's own."""
    allow_new_styles: Path | None = None
    """Folder where styles that clients add with `POST /styles` are kept; without it
    nobody can add any. It is made if it is not there."""
    log_format: Literal["text", "json"] | None = None
    """Log every request in a line, to standard error; as JSON for machines, then
    everything else that is logged, too."""

    def __post_init__(self) -> None:
        problems = all_at_least(
            self,
            workers=1,
            queue=1,
            deadline=0.1,
            max_bytes=1000,
            max_pixels=MIN_SIDE**2,
            max_size=MIN_SIDE,
        )
        if self.threads is not None:
            problems += at_least("threads", self.threads, 1)
        kept = self.allow_new_styles
        if kept is not None and kept.exists() and not kept.is_dir():
            problems.append(f"{kept} is a file, not a folder")
        if not self.host.strip():
            problems.append("host must be an address; 0.0.0.0 is every network")
        problems += [
            "cors takes origins as browsers send them, SCHEME://HOST[:PORT] in lower"
            " case, without a path or a usual port, such as https://pages.example; got"
            f" {origin!r}"
            for origin in self.cors
            if not _ORIGIN.fullmatch(origin)
        ]
        problems += within("port", self.port, 0, 65535)
        reject(problems)

    @property
    def threads_each(self) -> int:
        """Threads of one worker's interpreter."""
        return self.threads or max(1, (os.cpu_count() or 1) // self.workers)
