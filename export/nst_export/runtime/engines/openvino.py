"""OpenVINO on the CPU."""

import threading
from pathlib import Path

import numpy as np

from nst_export.runtime.engines.session import check_inputs, check_size, short_name


class OpenVINO:
    """OpenVINO on the CPU; bfloat16 where the processor has it."""

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        core = openvino.Core()
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        self.model = core.compile_model(core.read_model(path), "CPU", config)
        names = [i.get_any_name() for i in self.model.inputs]
        self.names = {short_name(name): name for name in names}
        check_inputs(path, self.names)
        self.takes_style = "style" in self.names
        self._turn = threading.Lock()  # The model's one request holds the pictures.
        shape = self.model.input(self.names["image"]).partial_shape
        self.fixed = tuple(shape.to_shape()) if shape.is_static else None
        self.numbers = None
        if self.takes_style:
            side = self.model.input(self.names["style"]).partial_shape[-1]
            self.numbers = side.get_length() if side.is_static else None

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return `[1, H, W, 3]` of `[1, H, W, 3]` and `[1, N + 1]`."""
        check_size(self.fixed, image.shape)
        given = {"image": image, "style": style}
        feed = {name: given[short] for short, name in self.names.items()}
        with self._turn:
            return np.asarray(next(iter(self.model(feed).values())))
