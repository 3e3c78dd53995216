"""The pages of TIFF files and their tags.

References:
    TIFF 6.0, https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
"""

import io
import struct
from typing import Any, BinaryIO

_TYPES = {
    1: "B",
    2: "B",
    3: "H",
    4: "L",
    6: "b",
    7: "B",
    8: "h",
    9: "l",
    11: "f",
    12: "d",
    13: "L",
    16: "Q",
    17: "q",
    18: "Q",
}
_SUBFILE, _OLD_SUBFILE = 254, 255
_MOST_PAGES = 1000


class Tiff:
    """The directories of a TIFF file.

    Args:
        stream: The file.

    Attributes:
        pages: The tags of every page, by number.

    Raises:
        OSError: It is cut off or damaged.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.length = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        head = stream.read(16)
        self.order = "<" if head[:2] == b"II" else ">"
        version = self._unpack("H", head[2:4])[0]
        self.big = version == 43
        start = (
            self._unpack("Q", head[8:16]) if self.big else self._unpack("L", head[4:8])
        )
        self.pages: list[dict[int, tuple[Any, ...]]] = []
        offset, seen = start[0], set[int]()
        while offset and offset not in seen and len(self.pages) < _MOST_PAGES:
            seen.add(offset)
            if offset >= self.length and self.pages:
                break  # A link to nowhere behind a good page.
            tags, offset = self._directory(offset)
            self.pages.append(tags)

    @property
    def pictures(self) -> int:
        """How many pages are pictures of their own: no reduced copies, no masks."""
        return sum(not self.page_is_copy(tags) for tags in self.pages)

    @staticmethod
    def page_is_copy(tags: dict[int, tuple[Any, ...]]) -> bool:
        """Tell whether a page is a reduced copy of another, or a mask."""
        return (
            bool(tags.get(_SUBFILE, (0,))[0] & 5)
            or tags.get(_OLD_SUBFILE, (1,))[0] == 2
        )

    def _unpack(self, kinds: str, data: bytes) -> tuple[Any, ...]:
        try:
            return struct.unpack(self.order + kinds, data)
        except struct.error as error:
            raise OSError("it ends too early") from error

    def _directory(self, offset: int) -> tuple[dict[int, tuple[Any, ...]], int]:
        """Return the tags at an offset, and where the next page is."""
        self.stream.seek(offset)
        counter, entry, pointer = ("Q", 20, "Q") if self.big else ("H", 12, "L")
        wide = struct.calcsize("<" + pointer)
        count = self._unpack(counter, self.stream.read(struct.calcsize("<" + counter)))[
            0
        ]
        if count * entry > self.length:
            raise OSError("a directory is longer than the file")
        data = self.stream.read(count * entry)
        following = self.stream.read(wide)
        tags = {}
        for start in range(0, len(data) - entry + 1, entry):
            tag, kind = self._unpack("HH", data[start : start + 4])
            number = self._unpack(pointer, data[start + 4 : start + 4 + wide])[0]
            if kind not in _TYPES:
                continue
            size = number * struct.calcsize("<" + _TYPES[kind])
            place = data[start + 4 + wide : start + entry]
            if size > wide:
                if size > self.length:
                    continue
                self.stream.seek(self._unpack(pointer, place)[0])
                place = self.stream.read(size)
            if len(place) >= size:
                tags[tag] = self._unpack(f"{number}{_TYPES[kind]}", place[:size])
        return tags, self._unpack(pointer, following)[0] if len(
            following
        ) == wide else 0
