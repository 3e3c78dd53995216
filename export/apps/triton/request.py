"""Paint a photograph with Triton's own client.

    pip install 'tritonclient[http]' pillow
    python request.py photo.jpg painting.png [127.0.0.1:8000]

`nst serve` answers the same request.
"""

import sys

import numpy as np
import tritonclient.http as triton
from PIL import Image, ImageOps

STYLE = [0, 1] + [0] * 11  # Shares: the photograph, then the model's styles.


def paint(photo: Image.Image, server: str) -> Image.Image:
    """Return the painting, of the photograph's size."""
    photo = ImageOps.exif_transpose(photo)  # Upright, as a telephone held it.
    pixels = np.asarray(photo.convert("RGB"), "float32") / 255
    height, width = pixels.shape[:2]
    pad = [(0, -height % 4), (0, -width % 4), (0, 0)]
    image = np.pad(pixels, pad, mode="reflect")[None]
    inputs = []
    for name, value in (("image", image), ("style", np.asarray([STYLE], "float32"))):
        tensor = triton.InferInput(name, list(value.shape), "FP32")
        tensor.set_data_from_numpy(value)
        inputs.append(tensor)
    client = triton.InferenceServerClient(server, network_timeout=60)
    picture = client.infer("gallery", inputs).as_numpy("picture")[0, :height, :width]
    return Image.fromarray(np.uint8(np.rint(255 * np.clip(picture, 0, 1))))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    where = sys.argv[3] if len(sys.argv) == 4 else "127.0.0.1:8000"
    paint(Image.open(sys.argv[1]), where).save(sys.argv[2])
