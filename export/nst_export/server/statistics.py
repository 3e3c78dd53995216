"""What was asked of a model, as the statistics extension of KServe v2 tells it.

Reference:
    https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md
"""

import dataclasses
import threading
import time
from typing import Any


@dataclasses.dataclass
class Duration:
    """How often something took place, and how long that took in all."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int) -> None:
        """Count once more."""
        self.count += 1
        self.ns += ns


class Statistics:
    """Counts of one version of a model, over all protocols."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._success, self._fail = Duration(), Duration()
        self._queue, self._compute = Duration(), Duration()
        self._pictures = self._last = 0

    def painted(self) -> None:
        """Count a picture that the model painted."""
        with self._lock:
            self._pictures += 1

    def done(self, *, queue: int, compute: int) -> None:
        """Count a request that was answered, with nanoseconds of its parts."""
        with self._lock:
            self._last = time.time_ns() // 1_000_000
            self._success.add(queue + compute)
            self._queue.add(queue)
            self._compute.add(compute)

    def failed(self, ns: int) -> None:
        """Count a request that was refused or came too late."""
        with self._lock:
            self._fail.add(ns)

    def plain(self) -> dict[str, Any]:
        """Return the counts by the extension's names.

        Decoding and encoding are part of `compute_infer`, which is all of a worker's
        time; a request is one execution, of as many inferences as it has pictures.
        """
        none = dataclasses.asdict(Duration())
        with self._lock:
            success, fail, queue, compute = (
                dataclasses.asdict(one)
                for one in (self._success, self._fail, self._queue, self._compute)
            )
            return {
                "last_inference": self._last,
                "inference_count": self._pictures,
                "execution_count": self._success.count,
                "inference_stats": {
                    "success": success,
                    "fail": fail,
                    "queue": queue,
                    "compute_input": none,
                    "compute_infer": compute,
                    "compute_output": none,
                    "cache_hit": none,
                    "cache_miss": none,
                },
                "batch_stats": [],
                "memory_usage": [],
            }
