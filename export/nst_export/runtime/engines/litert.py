"""LiteRT on the CPU."""

import functools
import threading
from pathlib import Path

import numpy as np

from nst_export.runtime.engines.session import (
    INPUTS,
    check_inputs,
    check_size,
    fixed_side,
    short_name,
)


class LiteRT:
    """LiteRT on the CPU, resized when a picture has another size than the last."""

    expected = INPUTS

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        data = path.read_bytes()  # A file that changes under a mapping is a crash.
        self._open = functools.partial(
            Interpreter, model_content=data, num_threads=threads
        )
        self.interpreter = self._open()
        self._turn = threading.Lock()  # An interpreter is for one thread at a time.
        details = self.interpreter.get_input_details()
        self.inputs = {short_name(detail["name"]): detail for detail in details}
        check_inputs(path, self.inputs, self.expected)
        self.outputs = [x["index"] for x in self.interpreter.get_output_details()]
        self.takes_style = "style" in self.inputs
        self.numbers = None
        if self.takes_style:
            self.numbers = fixed_side(int(self.inputs["style"]["shape_signature"][-1]))
        self.shape: tuple[int, ...] = ()
        fixed = tuple(int(side) for side in self.inputs["image"]["shape_signature"])
        self.fixed = None if -1 in fixed else fixed

    def forget(self) -> None:
        """Give back the memory of the last size."""
        with self._turn:
            self.interpreter, self.shape = self._open(), ()

    def run(self, image: np.ndarray, **others: np.ndarray) -> dict[int, np.ndarray]:
        """Return the outputs by the length of their last axis, 3 for the picture."""
        with self._turn:
            if image.shape != self.shape:
                index = self.inputs["image"]["index"]
                check_size(self.fixed, image.shape)
                # Until it is laid out: a shape that fails must not seem to be set.
                self.shape = ()
                self.interpreter.resize_tensor_input(index, image.shape)
                self.interpreter.allocate_tensors()
                self.shape = image.shape
            for name, detail in self.inputs.items():
                value = image if name == "image" else others[name]
                self.interpreter.set_tensor(detail["index"], value)
            self.interpreter.invoke()
            found = [self.interpreter.get_tensor(index) for index in self.outputs]
            return {value.shape[-1]: value for value in found}

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return `[1, H, W, 3]` of `[1, H, W, 3]` and `[1, N + 1]`."""
        return self.run(image, style=style)[3]


class LiteRTTiles(LiteRT):
    """LiteRT with statistics in and out, for pictures in tiles."""

    expected = ({"image", "style", "statistics"},)

    @property
    def channels(self) -> int:
        """Channels of all normalisations together."""
        return int(self.inputs["statistics"]["shape"][-1])

    def __call__(  # type: ignore[override]
        self, image: np.ndarray, style: np.ndarray, statistics: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `[1, H, W, 3]` and `[1, 2, 1, S]`, given `[1, 3, 1, S]`."""
        found = self.run(image, style=style, statistics=statistics)
        return found[3], found[self.channels]
