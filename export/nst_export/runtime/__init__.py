"""Apply an exported model: numpy and Pillow, and the one engine that is used.

Neither TensorFlow nor Keras is imported, except by the SavedModel engine.
"""

from nst_export.runtime.encoder import PaintingEncoder
from nst_export.runtime.engines.choose import Engine
from nst_export.runtime.engines.session import MULTIPLE, Session
from nst_export.runtime.mix import mix_weights, parse_mix
from nst_export.runtime.stylizer import Stylizer, bundled

__all__ = [
    "MULTIPLE",
    "Engine",
    "PaintingEncoder",
    "Session",
    "Stylizer",
    "bundled",
    "mix_weights",
    "parse_mix",
]
