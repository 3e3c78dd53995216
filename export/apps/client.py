"""Paint a photograph with nst serve.

python client.py photo.jpg starry_night out.jpg [http://127.0.0.1:8000]
python client.py photo.jpg painting.jpg out.jpg [http://127.0.0.1:8000]
"""

import json
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path


def stylize(
    photo: bytes, server: str, painting: bytes | None = None, **fields: str
) -> bytes:
    """Return the picture.

    Args:
        photo: A file's bytes.
        server: Its address.
        painting: The bytes of a painting to paint like; `model` must take any.
        **fields: Those of POST /stylize.

    Raises:
        RuntimeError: The server's own words.
    """
    url = f"{server.rstrip('/')}/stylize?{urllib.parse.urlencode(fields)}"
    files = {"image": photo} | ({"painting": painting} if painting else {})
    border = secrets.token_hex(16)
    parts = []
    for name, data in files.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}"'
        parts.append(f"--{border}\r\n{head}\r\n\r\n".encode() + data + b"\r\n")
    body = b"".join([*parts, f"--{border}--\r\n".encode()])
    kind = f"multipart/form-data; boundary={border}"
    while True:
        request = urllib.request.Request(url, body, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise RuntimeError(words(error)) from None
            time.sleep(int(error.headers.get("Retry-After", "1")))


def words(error: urllib.error.HTTPError) -> str:
    """Return the server's own words; a proxy before it may have others than JSON."""
    try:
        return json.load(error)["error"]
    except (ValueError, KeyError, TypeError):
        return f"the answer was {error.code} {error.reason}"


def main(
    photo: str, style: str, output: str, server: str = "http://127.0.0.1:8000"
) -> None:
    """Read `photo` and the painting, if `style` is the file of one; write `output`."""
    ending = Path(output).suffix.lower().lstrip(".").replace("jpg", "jpeg")
    fields, painting = {"style": style, "format": ending}, None
    if Path(style).is_file():
        painting = Path(style).read_bytes()
        fields |= {"style": "painting", "model": "any"}
    picture = stylize(Path(photo).read_bytes(), server, painting, **fields)
    Path(output).write_bytes(picture)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
