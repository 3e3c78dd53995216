"""Bodies of requests as they arrive, within their limit, unpacked from gzip."""

import zlib

from nst_export.server.errors import HttpError


def too_large(most: int) -> HttpError:
    """Return the refusal of a body of more than `most` bytes."""
    return HttpError(413, f"the body is larger than {most:,} bytes")


class Plain:
    """A body as it is.

    Args:
        most: Bytes that it may have.
    """

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        """Keep a chunk."""
        self._size += len(chunk)
        if self._size > self._most:
            raise too_large(self._most)
        self._chunks.append(chunk)

    def bytes(self) -> bytes:
        """Return the whole body."""
        return b"".join(self._chunks)


class Gzip:
    """A body packed by gzip; the limit holds for what it unpacks to, too.

    Of one member: several would be no work to send and much to unpack.

    Args:
        most: Bytes that it may have, packed or not.
    """

    def __init__(self, most: int) -> None:
        self._most, self._packed, self._size = most, 0, 0
        self._chunks: list[bytes] = []
        self._unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def add(self, chunk: bytes) -> None:
        """Unpack a chunk, no further than the limit."""
        self._packed += len(chunk)
        if self._packed > self._most:
            raise too_large(self._most)
        if self._unpack.eof and chunk:
            raise HttpError(400, "the gzip body goes on behind its end")
        try:
            data = self._unpack.decompress(chunk, self._most - self._size + 1)
        except zlib.error as error:
            raise HttpError(400, f"the body is no gzip: {error}") from error
        self._size += len(data)
        if self._size > self._most:
            raise too_large(self._most)
        if self._unpack.unused_data:
            raise HttpError(400, "the gzip body goes on behind its end")
        self._chunks.append(data)

    def bytes(self) -> bytes:
        """Return the whole body."""
        if not self._unpack.eof:
            raise HttpError(400, "the gzip body ends too early")
        return b"".join(self._chunks)
