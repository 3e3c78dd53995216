"""ONNX Runtime on the CPU."""

from pathlib import Path

import numpy as np

from nst_export.runtime.engines.session import check_inputs, fixed_side, short_name


class OnnxRuntime:
    """ONNX Runtime on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        inputs = {short_name(i.name): i for i in self.session.get_inputs()}
        self.names = {short: given.name for short, given in inputs.items()}
        check_inputs(path, self.names)
        self.takes_style = "style" in self.names
        self.numbers = (
            fixed_side(inputs["style"].shape[-1]) if self.takes_style else None
        )

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return `[1, H, W, 3]` of `[1, H, W, 3]` and `[1, N + 1]`."""
        given = {"image": image, "style": style}
        feed = {name: given[short] for short, name in self.names.items()}
        picture: np.ndarray = self.session.run(None, feed)[0]
        return picture
