"""Which colours a file's numbers mean, as an ICC profile.

An ICC profile is what a file says of itself; what it says in another way (the chunks
cICP, gAMA and cHRM of PNG, the nclx box of AVIF, Adobe RGB by EXIF) becomes one here.

References:
    ITU-T H.273 (code points of cICP and nclx), https://www.itu.int/rec/T-REC-H.273
    PNG third edition, https://www.w3.org/TR/png-3/
    ICC.1:2001-04 (version 2), https://www.color.org/icc32.pdf
"""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from nst_tf.imaging.color import to_linear
from nst_tf.imaging.formats import UnreadableError

D65 = (0.3127, 0.3290)
_DCI = (0.314, 0.351)
PRIMARIES: Mapping[int, tuple[tuple[float, float], ...]] = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
"""Red, green, blue and white in x and y, by the code of H.273."""
_ADOBE = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060), D65)
_HDR = {16: "PQ", 18: "HLG"}
_UNSAID = (0, 2)
"""Code points that say nothing."""
_GRID = np.linspace(0.0, 1.0, 4096)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_EXIF, _INTEROP, _COLOR_SPACE = 0x8769, 0xA005, 0xA001


def profile_of(info: Mapping[Any, Any], exif: Any, *, grey: bool) -> bytes | None:
    """Return the profile of an opened file; None where it is sRGB or says nothing.

    Args:
        info: What Pillow found; with `cicp` or `nclx`, three code points of H.273
            (primaries, transfer, full range), the first of which outranks a profile.
        exif: The file's EXIF, as Pillow has it.
        grey: Whether the file has one channel: then a profile that is made has one.

    Raises:
        UnreadableError: It has colours that can't be shown, such as those of HDR.
    """
    if "cicp" in info:
        return _by_code(*info["cicp"], grey=grey)
    if info.get("icc_profile"):
        return bytes(info["icc_profile"])
    if "nclx" in info:
        return _by_code(*info["nclx"], grey=grey)
    if "srgb" in info:
        return None
    if "gamma" in info:
        return _by_gamma(info, grey=grey)
    if _is_adobe_rgb(exif):
        return make_profile(_ADOBE, _GRID ** (563 / 256), grey=grey)
    return None


def _by_code(primaries: int, transfer: int, full: int, *, grey: bool) -> bytes | None:
    if transfer in _HDR:
        raise UnreadableError(f"a picture in HDR ({_HDR[transfer]})")
    if not full:
        raise UnreadableError("a picture with the range of video, 16 to 235")
    curve = _curve(transfer)
    if curve is None or primaries not in (*PRIMARIES, *_UNSAID):
        raise UnreadableError(f"a picture in colours {primaries}/{transfer} of H.273")
    if primaries in (1, *_UNSAID) and transfer in (13, *_UNSAID):
        return None
    return make_profile(PRIMARIES.get(primaries, PRIMARIES[1]), curve, grey=grey)


def _curve(transfer: int) -> np.ndarray | None:
    """Return amounts of light for values 0..1, by the code of H.273."""
    if transfer in (1, 6, 14, 15):
        low = _GRID < 0.081243
        return np.where(low, _GRID / 4.5, ((_GRID + 0.099297) / 1.099297) ** (1 / 0.45))
    if transfer in (13, *_UNSAID):
        return to_linear(_GRID)
    powers = {4: 2.2, 5: 2.8, 8: 1.0}
    return _GRID ** powers[transfer] if transfer in powers else None


def _by_gamma(info: Mapping[Any, Any], *, grey: bool) -> bytes | None:
    gamma = float(info["gamma"])
    if not 0.05 <= gamma <= 5.0:
        return None  # No display has it: viewers ignore it too.
    primaries = PRIMARIES[1]
    if len(numbers := info.get("chromaticity", ())) == 8:
        white, *rest = [(float(x), float(y)) for x, y in np.reshape(numbers, (4, 2))]
        primaries = (*rest, white)
    own = np.allclose(primaries, PRIMARIES[1], atol=2e-3)
    # Programs write 1/2.2 where they mean sRGB, whose own curve lies around it.
    if own and abs(gamma - 1 / 2.2) < 5e-3:
        return None
    try:
        return make_profile(primaries, _GRID ** (1.0 / gamma), grey=grey)
    except (np.linalg.LinAlgError, ZeroDivisionError, struct.error, ValueError):
        return None


def _is_adobe_rgb(exif: Any) -> bool:
    """Tell whether EXIF says Adobe RGB, as cameras do."""
    try:
        inside = exif.get_ifd(_EXIF)
        space = inside.get(_COLOR_SPACE)
        if space == 2:
            return True
        index = exif.get_ifd(_INTEROP).get(1, "") if space == 65535 else ""
    except Exception:  # Whatever damaged EXIF makes of Pillow.
        return False
    return str(index).startswith("R03")


def make_profile(
    primaries: tuple[tuple[float, float], ...], curve: np.ndarray, *, grey: bool = False
) -> bytes:
    """Return an ICC profile, version 2, of a display.

    Args:
        primaries: Red, green, blue and white in x and y.
        curve: Amounts of light for values from 0 to 1 in equal steps.
        grey: Make the profile of one channel.

    Raises:
        LinAlgError: The primaries span nothing.
    """
    table = np.rint(65535.0 * np.clip(curve, 0.0, 1.0)).astype(">u2")
    tone = b"curv" + struct.pack(">4xI", len(table)) + table.tobytes()
    tags = {
        b"desc": _description("made by nst-tf"),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(_D50),
    }
    if grey:
        tags[b"kTRC"] = tone
    else:
        columns = to_xyz(primaries).T
        tags |= {
            name + b"XYZ": _xyz(x)
            for name, x in zip((b"r", b"g", b"b"), columns, strict=True)
        }
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), tone)
    start, body, table_of_tags = 132 + 12 * len(tags), b"", b""
    places: dict[bytes, int] = {}
    for name, data in tags.items():
        if data not in places:
            places[data] = start + len(body)
            body += data + b"\0" * (-len(data) % 4)
        table_of_tags += name + struct.pack(">LL", places[data], len(data))
    space = b"GRAY" if grey else b"RGB "
    head = struct.pack(
        ">L4xL4s4s4s", start + len(body), 0x02100000, b"mntr", space, b"XYZ "
    )
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += _xyz(_D50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">L", len(tags)) + table_of_tags + body


def to_xyz(primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Return the matrix `[3, 3]` from linear RGB to XYZ under D50 (Bradford)."""
    tristimulus = [np.array([x / y, 1.0, (1.0 - x - y) / y]) for x, y in primaries]
    *rgb, white = tristimulus
    matrix = np.stack(rgb, axis=1)
    matrix = matrix * np.linalg.solve(matrix, white)
    ratio = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: np.ndarray = (
        np.linalg.solve(_BRADFORD, ratio[:, None] * _BRADFORD) @ matrix
    )
    return adapted


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3l", *(round(65536 * x) for x in values))


def _description(text: str) -> bytes:
    data = text.encode("ascii") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">L", len(data)) + data + bytes(78)
