"""What a training writes besides its state: the model, its card, previews."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_tf import __version__
from nst_tf.files import replacing, sha256
from nst_tf.imaging.contact_sheet import arrange
from nst_tf.imaging.resize import reduce
from nst_tf.imaging.write import check_output, save_image
from nst_tf.network.trained import CARD, ENCODER, MODEL, PREVIEWS
from nst_tf.network.vectors import kernels_hash, vectors_of
from nst_tf.running.progress import Progress
from nst_tf.settings.codec import to_plain
from nst_tf.style_file import SUFFIX, StyleVector
from nst_training.data import Batches, Source
from nst_training.distribute import alone
from nst_training.growing import Base
from nst_training.painted import Painter
from nst_training.settings import StyleSettings, TrainSettings

_SHOWN = 6
"""Paintings in a preview."""


def results(folder: Path) -> tuple[Path, Path]:
    """Return the folders of what a training writes, none of it a photograph to read.

    The previews are named too: `folder` may be that of the photographs itself.
    """
    return folder, folder / PREVIEWS


class Outputs:
    """The files of a training.

    Args:
        folder: Where they go.
        settings: Of the training.
        base: What it started from.
    """

    def __init__(
        self, folder: Path, settings: TrainSettings, base: Base | None
    ) -> None:
        self.folder, self.settings, self.base = folder, settings, base

    def averaged(self, model: keras.Model, *, average: bool = True) -> keras.Model:
        """Return a float32 network with the moving average of the weights.

        Args:
            model: The `StyleTransfer` that is trained.
            average: Whether there is one: not before the first step.
        """
        network, optimizer = model.generator, model.optimizer
        with alone():
            copy = network.rebuilt(dtype="float32")
            if self.settings.ema and average:
                theirs = zip(network.weights, copy.weights, strict=True)
                copies = {id(weight): mine for weight, mine in theirs}
                optimizer.finalize_variable_values(
                    [copies[id(weight)] for weight in network.trainable_variables]
                )
                # What was spread over all workers is this one's now.
                copy.set_weights(copy.get_weights())
            if self.base is not None:
                self.base.keep(copy)
        return copy

    def preview(
        self,
        network: keras.Model,
        source: Source,
        step: int,
        squares: np.ndarray | None = None,
    ) -> np.ndarray | None:
        """Write a sheet: two photographs, each in every style.

        There is none, and None is returned, where a picture is not finite.

        Args:
            network: What paints.
            source: Of the photographs.
            step: In the name of the file.
            squares: Paintings to show instead of styles, the first of them.
        """
        shown = None if squares is None else squares[:: -(-len(squares) // _SHOWN)]
        count = len(self.settings.styles if shown is None else shown)
        batches = Batches(
            source,
            size=self.settings.size,
            batch=2,
            styles=count,
            seed=self.settings.seed + 1,
        )
        stream = batches.open(0)
        photos = next(stream)["image"]
        stream.close()
        images = []
        rows = np.eye(count + 1, dtype="float32")
        if shown is not None:
            art = np.stack(
                [reduce(x / np.float32(255), photos.shape[1]) for x in shown]
            )
            images = [np.ones_like(photos[0])] * 2 + list(art)
            vectors = keras.ops.convert_to_numpy(network.encoder(art))
            rows = np.pad(vectors, ((1, 0), (1, 0)))
            rows[0, 0] = 1.0
        for photo in photos:
            images.append(photo)
            for weight in rows:
                inputs = {"image": photo[None], "style": weight[None]}
                images.append(keras.ops.convert_to_numpy(network(inputs))[0])
        if not all(np.isfinite(image).all() for image in images):
            return None
        path = self.folder / PREVIEWS / f"{step:06d}.png"
        check_output(path)
        sheet = arrange(images, columns=count + 2)
        save_image(path, sheet)
        return sheet

    def write(
        self,
        network: keras.Model,
        progress: Progress,
        budget: dict[str, list[float]],
    ) -> None:
        """Write the model and its card, each whole or not at all."""
        if isinstance(network, Painter):
            with replacing(self.folder / ENCODER) as part:
                network.encoder.save(part)
            network = network.network
        with replacing(self.folder / MODEL) as part:
            network.save(part)
        if self.base is not None and self.base.tuned:
            self._write_style(network)
        text = (
            json.dumps({**self._card(progress), **budget}, indent=2, ensure_ascii=False)
            + "\n"
        )
        with replacing(self.folder / CARD) as part:
            # A file's name may be no text; JSON has escapes for that.
            part.write_bytes(text.encode("utf-8", "backslashreplace"))

    def _write_style(self, network: keras.Model) -> None:
        """Write the style that was tuned for a model for any painting, as a file."""
        (style,) = self.settings.styles
        known = {key: _credit(style)[key] for key in ("name", "credit", "licence")}
        vector, fits = vectors_of(network)[-1], kernels_hash(network)
        found = StyleVector(vector=vector, network=fits, **known)
        found.write(self.folder / f"{style.name}{SUFFIX}")

    def _card(self, progress: Progress) -> dict[str, Any]:
        recipe = to_plain(self.settings)
        for key in ("vgg_weights", "lite_weights"):
            recipe["extractor"].pop(key)
        for style in recipe["styles"]:
            style["image"] = Path(style["image"]).name
        if recipe["paintings"]:
            recipe["paintings"] = Path(recipe["paintings"]).name
        card: dict[str, Any] = {
            "program": f"nst-tf {__version__}",
            "name": self.settings.name,
            "styles": self._styles(),
            **({"any": self.settings.embedding} if self.settings.paintings else {}),
            "recipe": recipe,
            "step": progress.step,
            "loss": progress.loss.flat(),
            "seconds": round(progress.seconds),
        }
        if self.base is not None:
            kept = self.base.model.card
            card["base"] = {key: kept[key] for key in ("name", "step")}
        return card

    def _styles(self) -> list[dict[str, Any]]:
        """Return names, credits and hashes; of styles that are kept, their card's."""
        base = self.base
        kept = base.model.card["styles"] if base is not None and base.kept else []
        return [*kept, *map(_credit, self.settings.styles[len(kept) :])]


def _credit(style: StyleSettings) -> dict[str, str]:
    return {
        "name": style.name,
        "credit": style.credit,
        "licence": style.licence,
        "sha256": sha256(style.image),
    }
