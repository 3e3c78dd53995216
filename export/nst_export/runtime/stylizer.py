"""Apply an exported model: numpy and Pillow, and the one engine that is used.

Neither TensorFlow nor Keras is imported, except by the SavedModel engine.
"""

import copy
import functools
import math
import os
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from nst_export.card import Card, extract, read_sidecar, style_names
from nst_export.runtime import drafts, tiling
from nst_export.runtime.engines.choose import (
    Engine,
    choose_engine,
    import_engine,
    installed,
    open_session,
    opened,
)
from nst_export.runtime.engines.litert import LiteRT, LiteRTTiles
from nst_export.runtime.engines.session import MULTIPLE, Session
from nst_export.runtime.vectors import more_rows, rows_of
from nst_tf.imaging.arrays import PictureLike, as_pixels
from nst_tf.machine import free_memory, trim_heap
from nst_tf.settings.checks import MIN_SIDE, InputError, at_least, reject
from nst_tf.shipped import is_shipped
from nst_tf.style_file import StyleVector

ONE_PASS = 3 * 2**20
"""Pixels up to which a picture is painted in one pass; larger ones go in tiles. The
width of the gallery, 0.5, takes 0.5 GiB for 2**20 pixels."""
_SHARE = 0.75
"""Of the memory that is free for a pass on all cores."""
_SMALL = 2**18
"""Pixels up to which nothing is asked: some 100 MB."""
TILES = "-tiles.tflite"
"""Ending of a file for tiles."""


class Stylizer:
    """A loaded style model. Threads may share it; LiteRT and OpenVINO take turns.

    Args:
        session: Runs the network.
        card: The model's card.
        engine: Name of the engine that runs it.
        tile_session: Makes the session for pictures that are too large for one pass;
            without it they take the memory that they take.
        one_pass: Pixels up to which a picture is painted in one pass.
        share: Of the memory that is free (Linux), what a pass may take: less of the
            pixels are painted at a time where there is little.

    Attributes:
        styles: Names of the styles.
        rows: Of a model for any painting, what the styles are to its network,
            float32 `[N + 1, S + 1]`, the photograph's own first; else None.

    Example:
        >>> stylizer = Stylizer.load("gallery.tflite")
        >>> weights = mix_weights(stylizer.styles, {"starry_night": 1.0}, strength=0.7)
        >>> picture = stylizer(photo, weights)
    """

    def __init__(
        self,
        session: Session,
        card: Card,
        engine: str,
        *,
        tile_session: Callable[[], tiling.TileSession] | None = None,
        one_pass: int = ONE_PASS,
        share: float = _SHARE,
    ) -> None:
        self.session, self.card, self.engine = session, card, engine
        self.tile_session, self.one_pass, self.share = tile_session, one_pass, share
        self.styles, self.rows = style_names(card), rows_of(card)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        *,
        engine: Engine = "auto",
        threads: int | None = None,
    ) -> "Stylizer":
        """Load a `.tflite`, an `.onnx` or a SavedModel folder.

        Args:
            path: What `nst export` wrote.
            engine: What runs it. `auto` is LiteRT for a `.tflite`, for an `.onnx`
                OpenVINO where it is installed, else ONNX Runtime.
            threads: Threads a picture; without it one a core.

        Raises:
            InputError: No such file, no such engine here, or no model of ours.
        """
        path = Path(path)
        if not path.exists():
            raise InputError(f"there is no model {path}")
        engine = choose_engine(path, engine)
        import_engine(engine)
        card = _card(path)
        style_names(card)
        count = threads or os.cpu_count() or 1
        session = open_session(engine, path, count)
        _check_card(path, card, session)
        beside = tiles_beside(path, card)
        large = None
        if path.is_file() and beside.is_file() and installed("litert"):
            large = functools.partial(_open_tiles, beside, card, count)
        # Those that paint beside it on the other cores take memory, too.
        share = _SHARE * min(1.0, count / (os.cpu_count() or 1))
        return cls(session, card, engine, tile_session=large, share=share)

    def __call__(
        self,
        photo: PictureLike,
        weights: Sequence[float],
        *,
        draft: int | None = drafts.DRAFT,
    ) -> np.ndarray:
        """Stylise a picture of any size from 16 pixels.

        Larger pictures than a draft are painted from one, so that their brushwork is
        larger, too. Pictures of more pixels than `one_pass` go in tiles, if the model
        has a file for that.

        Args:
            photo: float32 `[H, W, 3]`, RGB 0..1, or what `as_pixels` makes that of,
                such as uint8, greys or a path.
            weights: One a style, the photograph's own first; from `mix_weights`.
            draft: Short side of the draft in pixels; None paints in one pass.

        Returns:
            float32 `[H, W, 3]`, RGB 0..1.

        Raises:
            InputError: The picture is none, or too small; the weights are no shares of
                the styles; the draft has fewer than 16 pixels.
        """
        draft = self.draft_of(draft)
        photo = as_pixels(photo, "the photograph")
        style = self.style_row(weights)
        height, width = photo.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise InputError(
                f"the picture has {width}x{height} pixels; each side needs {MIN_SIDE}"
            )
        paint = functools.partial(self._paint, style=style)
        steps = drafts.sizes(width, height, draft)
        return drafts.paint(paint, photo, weights[0], steps)

    def draft_of(self, draft: int | None) -> int | None:
        """Return the draft that was asked for, None for a file of one size.

        Raises:
            InputError: It has fewer than 16 pixels.
        """
        if draft is not None:
            reject(at_least("draft", draft, least=MIN_SIDE))
        return None if getattr(self.session, "fixed", None) else draft

    def _paint(self, photo: np.ndarray, style: list[float]) -> np.ndarray:
        """Paint a picture at its own size."""
        height, width = photo.shape[:2]
        area = height * width
        if self.tile_session is not None and self._large(area):
            session = self.tile_session()
            most = self._most(area, session.channels)
            if not self.fits(area, most):
                if isinstance(self.session, LiteRT):
                    self.session.forget()
                trim_heap()
                most = self.affordable(area, session.channels)
                picture = tiling.paint(session, photo, style, most=most)
                del session
                trim_heap()
                return picture
        picture = self.session(padded(photo), np.asarray([style], "float32"))
        picture = picture[0, :height, :width]
        if not self.session.takes_style:
            picture = picture + style[0] * (photo - picture)
        return np.clip(picture, 0.0, 1.0)

    def affordable(self, area: int, channels: int) -> float:
        """Return the pixels of a pass that free memory holds.

        Args:
            area: Pixels of the pictures that it must hold beside the pass.
            channels: Of all normalisations together, S.
        """
        free = free_memory()
        if free is None:
            return math.inf
        return tiling.affordable(area, channels, self.share * free)

    def fits(self, area: int, most: float) -> bool:
        """Tell whether a picture is painted in one pass.

        Args:
            area: Its pixels.
            most: Pixels of a pass that memory holds; small pictures don't ask.
        """
        return area <= min(self.one_pass, max(most, _SMALL))

    def _most(self, area: int, channels: int) -> float:
        """Return the same where what the session holds already is used again."""
        held = math.prod(getattr(self.session, "shape", (0, 0, 0))[1:3])
        return held + self.affordable(area, channels)

    def _large(self, area: int) -> bool:
        """Tell whether so many pixels might be too many for one pass."""
        if area > self.one_pass:
            return True
        return area > _SMALL and self._most(area, tiling.WIDEST) < area

    def with_styles(self, styles: Sequence[StyleVector]) -> "Stylizer":
        """Return the same model with more styles, after those it has.

        Args:
            styles: For a model for any painting, as `read_style` and
                `PaintingEncoder.style` return them.

        Raises:
            InputError: A name is taken.
        """
        if not styles:
            return self
        if self.rows is None:
            raise InputError(
                f"the model {self.card.get('name')} is not for any painting: it has"
                f" the styles {', '.join(self.styles)} alone"
            )
        more = copy.copy(self)
        more.styles = [*self.styles, *(style.name for style in styles)]
        for name in more.styles:
            if more.styles.count(name) > 1:
                raise InputError(f"there are two styles {name}")
        entries = [
            {key: getattr(style, key) for key in ("name", "credit", "licence")}
            for style in styles
        ]
        more.card = {**self.card, "styles": [*self.card["styles"], *entries]}
        more.rows = more_rows(self.rows, [style.vector for style in styles])
        return more

    def style_row(self, weights: Sequence[float]) -> list[float]:
        """Return what the network takes for weights of the styles."""
        shares = self._shares(weights)
        if self.rows is None:
            return shares
        row: list[float] = (np.asarray(shares, "float32") @ self.rows).tolist()
        return row

    def _shares(self, weights: Sequence[float]) -> list[float]:
        """Return the weights as numbers, if they are as many as there are styles."""
        count = len(self.styles) + 1
        try:
            found = np.asarray(weights, "float32")
        except (TypeError, ValueError) as error:
            raise InputError(f"the weights must be {count} numbers: {error}") from error
        if found.shape != (count,):
            raise InputError(
                f"{count} weights are needed (photograph, {', '.join(self.styles)}),"
                f" got the shape {list(found.shape)}; mix_weights makes them"
            )
        if not np.isfinite(found).all() or not found.any():
            raise InputError(
                f"the weights must be finite and not all 0, got {found.tolist()}"
            )
        return [float(weight) for weight in found]


def _open_tiles(path: Path, card: Card, threads: int) -> tiling.TileSession:
    """Load the file for tiles that lies beside a model of a card."""
    session = opened(LiteRTTiles, path, threads, "litert")
    _check_card(path, card, session)
    return session


def _check_card(path: Path, card: Card, session: Session) -> None:
    """Refuse a card of other styles than a model's, such as one left beside it."""
    rows, count = rows_of(card), len(style_names(card))
    needed = count + 1 if rows is None else rows.shape[1]
    taken = session.numbers if session.takes_style else 2
    if taken not in (needed, None):
        raise InputError(
            f"the card of {path} is another model's: its {count} styles need {needed}"
            f" weights, and the file takes {taken}"
        )


def tiles_beside(path: Path, card: Card) -> Path:
    """Return where a model's file for tiles lies, if there is one.

    That of the file itself, such as `NAME-int8-tiles.tflite` of `NAME-int8.tflite`,
    else that of the model.
    """
    own = path.with_name(f"{path.stem}{TILES}")
    return own if own.is_file() else path.with_name(f"{card.get('name')}{TILES}")


def padded(photo: np.ndarray) -> np.ndarray:
    """Return `[H, W, 3]` as a network takes it, `[1, H', W', 3]`, multiples of 4.

    Mirrored where it grows, as the network does at its own borders.
    """
    pad = [(0, -side % MULTIPLE) for side in photo.shape[:2]]
    if pad != [(0, 0), (0, 0)]:
        photo = np.pad(photo, (*pad, (0, 0)), mode="reflect")
    return np.ascontiguousarray(photo[None], "float32")


def bundled(name: str = "gallery") -> Path:
    """Return a file that ships with the package: of the gallery, or for any painting.

    Args:
        name: gallery, any (int8 weights) or any-float16.

    Raises:
        InputError: This installation has none.
    """
    path = Path(__file__).parents[1] / "gallery" / f"{name}.tflite"
    if not path.is_file():
        raise InputError(
            "this installation has no bundled gallery: give --model, a file that nst"
            " export wrote"
        )
    return path


def model_file(path: Path) -> Path:
    """Return the file of a model that ships, where its name is given; or the path.

    Raises:
        InputError: This installation has none of that name.
    """
    return bundled(str(path)) if is_shipped(path) else path


def _card(path: Path) -> Card:
    """Read the card inside a `.tflite`, or beside any other model."""
    if path.suffix.lower() == ".tflite":
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"can't read {path}: {error}") from error
        try:
            card = extract(data)
        except Exception as error:  # A damaged file fails anywhere in the parser.
            raise InputError(f"{path} is damaged or no .tflite") from error
        if card is not None:
            return card
    return read_sidecar(path)
