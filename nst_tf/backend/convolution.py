"""Convolutions over maps of widths that the processor is slow at."""

from typing import Any

import keras
from keras import ops

from nst_tf.backend.precision import has_gpu
from nst_tf.backend.slicing import slice_map
from nst_tf.machine import cpu_has_amx

Tensor = Any
_STEP = 16
"""Widths that are multiples of it are not slow."""
_WIDE = 512
"""Narrower maps gain less than the copies cost."""
_DEEP = 16
"""Maps of fewer channels are not slow: three or six go into the first layer."""


@keras.saving.register_keras_serializable("nst_tf")
class WideConv2D(keras.layers.Conv2D):
    """A convolution without steps that makes maps of slow widths a little wider.

    TensorFlow on a CPU with AMX cuts the rows of a map in bfloat16 into equal pieces,
    and of some widths those are too short: 64 to 64 channels take 161 ms at 512x683
    (4:3), 35 ms at 512x688. So zeros are put to the right, up to a multiple of 16, and
    what they give is cut off again. Forward and backward of 100 widths from 513 to 1399
    take .72 to 4.9 times less so, half of them 1.1 and more.
    """

    def call(self, inputs: Tensor) -> Tensor:
        """Convolve `[B, h, w, C]`, as `Conv2D` does."""
        width = inputs.shape[2]
        wide = width is not None and width > _WIDE and inputs.shape[-1] >= _DEEP
        if not wide or not self._concerned():
            return super().call(inputs)
        out = width if self.padding == "same" else width - 2
        lacking = -out % _STEP
        if not lacking:
            return super().call(inputs)
        wider = ops.pad(inputs, ((0, 0), (0, 0), (0, lacking), (0, 0)))
        return slice_map(super().call(wider), columns=slice(0, out))

    def _concerned(self) -> bool:
        half = self.compute_dtype == "bfloat16" and cpu_has_amx()
        return half and keras.backend.backend() == "tensorflow" and not has_gpu()
