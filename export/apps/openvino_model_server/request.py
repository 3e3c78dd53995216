"""Paint a photograph with the KServe v2 protocol, binary tensors both ways.

    python request.py photo.jpg painting.png [http://127.0.0.1:8000]

Needs numpy and Pillow. `nst serve` answers the same request.
"""

import json
import sys
import urllib.request

import numpy as np
from PIL import Image, ImageOps

STYLE = [0, 1] + [0] * 11  # Shares: the photograph, then the model's styles.


def paint(photo: Image.Image, server: str) -> Image.Image:
    """Return the painting, of the photograph's size."""
    photo = ImageOps.exif_transpose(photo)  # Upright, as a telephone held it.
    pixels = np.asarray(photo.convert("RGB"), "float32") / 255
    height, width = pixels.shape[:2]
    pad = [(0, -height % 4), (0, -width % 4), (0, 0)]
    image = np.pad(pixels, pad, mode="reflect")[None]
    tensors = [("image", image), ("style", np.asarray([STYLE], "float32"))]
    inputs = [
        {
            "name": name,
            "shape": list(value.shape),
            "datatype": "FP32",
            "parameters": {"binary_data_size": value.nbytes},
        }
        for name, value in tensors
    ]
    outputs = [{"name": "picture", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    length = "Inference-Header-Content-Length"
    request = urllib.request.Request(
        f"{server}/v2/models/gallery/infer",
        head + b"".join(value.tobytes() for _, value in tensors),
        {length: str(len(head)), "Content-Type": "application/octet-stream"},
    )
    with urllib.request.urlopen(request) as answer:
        body, size = answer.read(), int(answer.headers[length])
    shape = json.loads(body[:size])["outputs"][0]["shape"]
    picture = np.frombuffer(body[size:], "<f4").reshape(shape)[0, :height, :width]
    return Image.fromarray(np.uint8(np.rint(255 * np.clip(picture, 0, 1))))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    where = sys.argv[3] if len(sys.argv) == 4 else "http://127.0.0.1:8000"
    paint(Image.open(sys.argv[1]), where).save(sys.argv[2])
