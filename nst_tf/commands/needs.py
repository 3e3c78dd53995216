"""What a command can't work without, and how to install it."""

import importlib.util
from collections.abc import Mapping
from types import MappingProxyType

from nst_tf.commands import PROGRAM
from nst_tf.machine import keras_backend
from nst_tf.settings.checks import InputError

_PACKAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "tf": ("keras", "h5py"),
        "serve": (
            *("httptools", "orjson", "prometheus_client", "python_multipart"),
            *("starlette", "uvicorn"),
        ),
        "onnx": ("onnx", "onnxruntime", "tf2onnx"),
        "coreml": ("coremltools",),
        "hub": ("huggingface_hub",),
        "ray": ("fsspec", "pyarrow", "ray"),
        "video": ("av", "cv2"),
    }
)
"""What an extra brings; `tf` the Keras backend besides."""


def check_extra(extra: str, *, command: str) -> None:
    """Refuse a command whose packages are not installed.

    Args:
        extra: `tf` (Keras and its backend, whichever is chosen) or another of them.
        command: The command's name, with the flag that asks for it, for the message.

    Raises:
        InputError: Names the package and the line that installs it.
    """
    packages = _PACKAGES[extra]
    if extra == "tf":
        backend = keras_backend()
        extra = "jax" if backend == "jax" else "tf"
        if backend not in ("jax", "tensorflow"):
            raise InputError(
                f"{PROGRAM} {command} runs on tensorflow or jax, not on {backend}: set"
                " KERAS_BACKEND to one of them"
            )
        packages = (backend, *packages)
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"{PROGRAM} {command} needs {missing[0]}: pip install 'nst-tf[{extra}]'"
        )
