"""Where a run stands: steps made, the last loss, the time, why it ends."""

import time
from collections.abc import Mapping
from typing import Any, Literal

from nst_tf.loss.parts import LossParts

Reason = Literal["finished", "converged", "stopped", "not finite"]


class Progress:
    """What the callbacks of a run share, and what its state begins with.

    Attributes:
        step: Steps made, those of all passes together.
        done: Steps made of the present pass.
        steps: Steps of the present pass.
        loss: Parts of the last loss that was finite.
        reason: Why the run ends: `"finished"` until something else ends it.
    """

    def __init__(self) -> None:
        self.step = self.done = self.steps = 0
        self.loss = LossParts.unknown()
        self.reason: Reason = "finished"
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the start, without that between runs of a resumed one."""
        return time.monotonic() - self._started

    @property
    def failed(self) -> bool:
        """Whether the loss was not finite."""
        return self.reason == "not finite"

    @property
    def last(self) -> bool:
        """Whether the pass has made all of its steps."""
        return self.done >= self.steps

    def facts(self) -> dict[str, Any]:
        """Return what a resumed run goes on from, JSON-ready."""
        return {
            "step": self.step,
            "done": self.done,
            "loss": self.loss.flat(),
            "seconds": self.seconds,
        }

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on from what `facts` returned."""
        self.step, self.done = int(facts["step"]), int(facts["done"])
        self.loss = LossParts.of(facts["loss"])
        self._started = time.monotonic() - float(facts["seconds"])
