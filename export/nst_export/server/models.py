"""The models that are served, and their replacement when their files change."""

import copy
import hashlib
import itertools
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

from nst_export.runtime.encoder import SUFFIX as ENCODER
from nst_export.runtime.encoder import PaintingEncoder, encoder_beside, open_encoder
from nst_export.runtime.stylizer import TILES, Stylizer
from nst_export.server.clips import Clips
from nst_export.server.statistics import Statistics
from nst_tf.imaging.read import decode_image
from nst_tf.imaging.seen import ENOUGH
from nst_tf.settings.checks import InputError
from nst_tf.style_file import SUFFIX, StyleVector, read_style

LOG = logging.getLogger("nst.serve")
LATEST = "0"
"""Version that is the newest, as clients of OpenVINO Model Server ask for it."""
PAINTING = "painting"
"""The style of the painting that comes with a request."""
_KEPT = 64
"""Vectors of paintings that are remembered."""
MOST_STYLES = 1000
"""Styles that may be added while serving."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Served:
    """One version of one model: a `Stylizer` a worker, never changed.

    Requests keep the version that they began with, so that a newer one takes nothing
    from them.
    """

    def __init__(
        self, path: Path, *, version: int, workers: int, threads: int, stamp: object
    ) -> None:
        self.path, self.version, self.stamp = path, version, stamp
        self.name = model_name(path)
        self.stylizers = [Stylizer.load(path, threads=threads) for _ in range(workers)]
        self.card, self.styles = self.stylizers[0].card, self.stylizers[0].styles
        self.statistics = Statistics()
        self.clips = Clips(self.stylizers)
        self.encoders: list[PaintingEncoder] = []
        """One a worker, of a model for any painting."""
        encoder = encoder_beside(path, self.card)
        if self.stylizers[0].rows is not None and encoder.is_file():
            self.encoders = [
                open_encoder(path, self.card, threads=threads) for _ in range(workers)
            ]
            _check_names(self.styles)
        elif not self.styles:
            raise InputError(f"there is no encoder {encoder}, and {path} has no styles")
        self._lock = threading.Lock()
        self._vectors: OrderedDict[str, StyleVector] = OrderedDict()
        self.thumbnails: dict[str, bytes] = {}
        """JPEG of the scene in each style, as far as they were asked for."""

    def is_version(self, version: str) -> bool:
        """Tell whether it is the version that a client names."""
        return version in (LATEST, str(self.version))

    def style_of(
        self, painting: bytes, name: str, worker: int, most: int
    ) -> StyleVector:
        """Return the file of a painting as a style, by a worker's encoder."""
        pixels, _ = decode_image(
            painting, least=ENOUGH, max_pixels=most, name="the painting"
        )
        return self.encoders[worker].style(pixels, name)

    def with_painting(self, painting: bytes, worker: int, most: int) -> Stylizer:
        """Return a worker's stylizer with one more style, `PAINTING`.

        Args:
            painting: The file; vectors of the last ones are kept.
            worker: Its number.
            most: Pixels that are decoded.

        Raises:
            InputError: It can't be used.
        """
        key = hashlib.sha256(painting).hexdigest()
        found = self._vectors.get(key)
        if found is None:
            found = self.style_of(painting, PAINTING, worker, most)
        with self._lock:
            self._vectors[key] = found
            self._vectors.move_to_end(key)
            while len(self._vectors) > _KEPT:
                self._vectors.popitem(last=False)
        return self.stylizers[worker].with_styles([found])

    def with_style(self, style: StyleVector) -> "Served":
        """Return the same version with one more style.

        Raises:
            InputError: Its name is taken.
        """
        _check_names([style.name])
        more = copy.copy(self)
        more.stylizers = [each.with_styles([style]) for each in self.stylizers]
        more.card, more.styles = more.stylizers[0].card, more.stylizers[0].styles
        return more

    def credit(self, style: str) -> str:
        """Return whose work a style is, "" if the card does not say."""
        entry = self.card["styles"][self.styles.index(style)]
        return str(entry.get("credit", ""))


class Models:
    """All models by name; the first is the default.

    Args:
        paths: What `nst export` wrote.
        workers: Copies of each.
        threads: Threads of each copy.
        kept: Folder of the styles that were added while serving, if they may be.

    Raises:
        InputError: A path is no model, or two have the same name; or styles may be
            added, and no model takes them or their folder can't be made.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        workers: int,
        threads: int,
        kept: Path | None = None,
    ) -> None:
        self._workers, self._threads, self._kept = workers, threads, kept
        self._changing = threading.Lock()
        self._failed: dict[str, object] = {}
        found = [self._with_kept(self._load(path, 1)) for path in paths]
        self._served = {model.name: model for model in found}
        if len(self._served) < len(found):
            names = ", ".join(model.name for model in found)
            raise InputError(f"models need different file names, got {names}")
        self.default = found[0].name
        if kept is not None and not any(model.encoders for model in found):
            raise InputError("new styles need a model for any painting: serve one")
        if kept is not None:
            try:
                kept.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"no folder for new styles: {error}") from error

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._served.values()))

    def get(self, name: str | None = None) -> Served:
        """Return the newest version of a model, the default's without a name.

        Raises:
            KeyError: There is none of that name.
        """
        return self._served[name or self.default]

    def refresh(self) -> None:
        """Load the models anew whose files changed; a damaged file changes nothing."""
        for model in list(self._served.values()):
            stamp = _stamp(model.path)
            if stamp in (model.stamp, self._failed.get(model.name)):
                continue
            try:
                newer = self._load(model.path, model.version + 1)
            except InputError as error:
                self._failed[model.name] = stamp
                LOG.warning(
                    "%s stays at version %d: %s", model.name, model.version, error
                )
            else:
                with self._changing:
                    self._served[model.name] = self._with_kept(newer)
                LOG.info("%s is now at version %d", newer.name, newer.version)

    def add(self, model: str, style: StyleVector) -> None:
        """Keep a style, and serve it from now on.

        Args:
            model: Name of the model that it fits.
            style: Its name is part of that of a file.

        Raises:
            FileExistsError: There is a style of that name.
            InputError: There are too many.
            OSError: It can't be written.
        """
        assert self._kept is not None
        path = self._kept / f"{style.name}{SUFFIX}"
        with self._changing:
            served = self._served[model]
            if style.name in served.styles or path.exists():
                raise FileExistsError(f"there is a style {style.name} already")
            if len(self._files()) >= MOST_STYLES:
                raise InputError(f"{MOST_STYLES} styles are kept already, the most")
            self._kept.mkdir(parents=True, exist_ok=True)
            style.write(path)
            self._served[model] = served.with_style(style)

    def _files(self) -> list[Path]:
        return sorted(self._kept.glob(f"*{SUFFIX}")) if self._kept is not None else []

    def _with_kept(self, model: Served) -> Served:
        """Return a model with the styles of the folder that fit it."""
        for file in self._files() if model.encoders else []:
            try:
                model = model.with_style(read_style(file, model.card))
            except InputError as error:
                LOG.warning("%s is left out of %s: %s", file.name, model.name, error)
        return model

    def _load(self, path: Path, version: int) -> Served:
        return Served(
            path,
            version=version,
            workers=self._workers,
            threads=self._threads,
            stamp=_stamp(path),
        )


class Watcher:
    """A thread that calls `refresh` every `seconds` until closed."""

    def __init__(self, models: Models, *, seconds: float = 2.0) -> None:
        self._models, self._seconds = models, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._models.refresh()
            except Exception:  # Whatever a half-written file makes of a parser.
                LOG.exception("models were not looked for anew")


def model_name(path: Path) -> str:
    """Return what a model is called in addresses: its file's name without ending.

    A SavedModel is called like the folder above its version.

    Raises:
        InputError: The name can't stand in an address.
    """
    path = path.resolve()
    name = path.parent.name if path.name.isdigit() else path.stem
    if not _NAME.fullmatch(name):
        raise InputError(
            f"the model's file name becomes part of an address: use letters, digits,"
            f" '.', '_' and '-', not {name!r}"
        )
    return name


def _check_names(styles: Sequence[str]) -> None:
    """Raise InputError if one has the name of a painting that comes with a request."""
    if PAINTING in styles:
        raise InputError(
            f"no style may be called {PAINTING}: a painting that comes with a"
            " photograph is"
        )


def _stamp(path: Path) -> object:
    """Return what changes when a model's file does, or an encoder or tiles beside it.

    These are written one by one: a model whose encoder comes later is looked at again.
    """
    file = path / "saved_model.pb" if path.is_dir() else path
    beside = (path.parent.glob(f"*{ending}") for ending in (ENCODER, TILES))
    return [_file_stamp(one) for one in (file, *sorted(itertools.chain(*beside)))]


def _file_stamp(file: Path) -> object:
    try:
        status = file.stat()
    except OSError:
        return None
    return file.name, status.st_mtime_ns, status.st_size, status.st_ino
