"""Paint a photograph with nst serve.

python client.py photo.jpg starry_night painting.jpg [http://127.0.0.1:8000]
"""

import json
import mimetypes
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path


def stylize(
    photo: bytes, server: str, *, kind: str = "image/jpeg", **fields: str
) -> bytes:
    """Return the painting; `fields` are those of POST /stylize.

    Raises:
        RuntimeError: The server's own words.
    """
    url = f"{server.rstrip('/')}/stylize?{urllib.parse.urlencode(fields)}"
    while True:
        request = urllib.request.Request(url, photo, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise RuntimeError(json.load(error)["error"]) from None
            time.sleep(int(error.headers["Retry-After"]))


def main(
    photo: str, style: str, output: str, server: str = "http://127.0.0.1:8000"
) -> None:
    """Read `photo`, write `output`."""
    kind = mimetypes.guess_type(photo)[0] or "image/jpeg"
    ending = Path(output).suffix.lower().lstrip(".").replace("jpg", "jpeg")
    data = Path(photo).read_bytes()
    picture = stylize(data, server, kind=kind, style=style, format=ending)
    Path(output).write_bytes(picture)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
