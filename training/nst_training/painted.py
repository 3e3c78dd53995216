"""Training for any painting: paintings as data, an encoder beside the network.

Every photograph of a batch has a painting of its own, a crop of it; the loss compares
the picture with the crop's moments, and a blend of two paintings with the blend of
theirs.

References:
    Ghiasi et al. 2017, https://arxiv.org/abs/1705.06830
    Huang and Belongie 2017, https://arxiv.org/abs/1703.06868
    Park and Lee 2019 (the identity term), https://arxiv.org/abs/1812.02342
"""

from collections.abc import Generator
from typing import Any

import keras
import numpy as np
from keras import ops

from nst_tf.loss.choice import LITE
from nst_tf.loss.lite_weights import read_lite
from nst_tf.loss.objective import Objective
from nst_tf.loss.parts import IDENTITY, LossParts
from nst_tf.loss.targets import STRENGTH_POWER
from nst_tf.loss.term import Sums, Targets
from nst_tf.loss.vgg import MEAN_RGB
from nst_tf.network.encoder import LAYERS, StyleEncoder
from nst_tf.network.transform import TransformNetwork
from nst_tf.settings.network import NetworkSettings
from nst_training.data import Batches
from nst_training.transfer import NetworkTransfer

Tensor = Any
_MEAN = np.asarray(MEAN_RGB[::-1], "float32")
"""What VGG subtracts, BGR in 0..255."""
_OWN = 0.05
"""Fraction of photographs that are their own painting, and are to stay as they are."""
_IDENTITY = 5.0
"""Weight of the mean deviation of their pictures from them."""
_SAME = 0.05
"""Smallest deviation, of logarithms, that is enlarged to 1."""
_MOST = 512
"""Squares of paintings from which the usual statistics are taken."""


class PaintedBatches:
    """Batches of photographs, each with the place of a crop of a painting.

    Args:
        batches: Of the photographs.
        count: Number of squares to cut from.
        mix: Fraction of examples that mix two paintings of the batch.
    """

    def __init__(self, batches: Batches, count: int, mix: float) -> None:
        self.batches, self.count, self.mix = batches, count, mix

    def __getattr__(self, name: str) -> Any:
        return getattr(self.batches, name)

    def open(self, start: int) -> Generator[dict[str, np.ndarray], None, None]:
        """Yield what the photographs' batches have, and where paintings are cut.

        Also `painting`, int32 `[B]`, `painting_place`, float32 `[B, 4]`, `mix`,
        float32 `[B, 1]`: the share of a picture's own painting against the one before,
        and `own`, float32 `[B, 1]`: 1 where the photograph is its own painting.
        """
        for number, batch in enumerate(self.batches.open(start), start):
            yield {**batch, **self.drawn(number)}

    def drawn(self, number: int) -> dict[str, np.ndarray]:
        """Return what the paintings add to a batch, by its number."""
        slots, seed = self.batches.slots, self.batches.seed
        draw = np.random.default_rng((seed, 4, number))
        index = draw.integers(self.count, size=self.batches.batch)
        place = draw.random((self.batches.batch, 4), "float32")
        mixed, share = draw.random((2, self.batches.batch, 1), "float32")
        own = draw.random((self.batches.batch, 1), "float32") < _OWN
        mix = np.where((mixed < self.mix) & ~own, share, 1.0).astype("float32")
        part = slice(slots.start, slots.stop)
        return {
            "painting": index.astype("int32")[part],
            "painting_place": place[part],
            "mix": mix[part],
            "own": own.astype("float32")[part],
        }


class Painter(keras.Model):
    """An encoder and the transform network that paints by its vectors.

    Args:
        encoder: From paintings to vectors.
        network: With as many styles as a vector has elements.
    """

    def __init__(self, encoder: StyleEncoder, network: TransformNetwork) -> None:
        super().__init__(name="painter")
        self.encoder, self.network = encoder, network
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Return pictures of `image` by the rows `style`, `[B, K + 1]`."""
        return self.network(inputs, training=training)

    def rows(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the rows `[B, K + 1]` of a batch: share of the photograph, vector."""
        vector = _blend(self.encoder(inputs["painting"]), inputs["mix"])
        share = inputs["style"][:, :1]
        return ops.concatenate([share, (1.0 - share) * vector], axis=-1)

    def rebuilt(self, *, dtype: str) -> "Painter":
        """Return a copy that computes in another dtype."""
        return Painter(
            self.encoder.rebuilt(dtype=dtype), self.network.rebuilt(dtype=dtype)
        )


class PaintedTargets(keras.layers.Layer):
    """What pictures by paintings are compared with; called as a layer on a batch.

    Args:
        objective: The loss they are for.
    """

    def __init__(self, objective: Objective) -> None:
        super().__init__(dtype="float32", trainable=False, name="targets")
        self.objective = objective
        self.content = objective.extractor.only(objective.settings.content_layers)
        self.built = True

    def ratios(self, style: Tensor) -> Tensor:
        """Return `[B, 1]` of ones: all paintings are one style to the budget."""
        return ops.ones_like(style[:, :1])

    def call(self, inputs: dict[str, Tensor]) -> Targets:
        """Return the targets of `image`, `painting`, `mix` and the share in `style`."""
        moments = self.objective.style_moments(inputs["painting"])
        mixed = {
            name: ops.stop_gradient(_blend(value, inputs["mix"]))
            for name, value in moments.items()
        }
        less = ops.maximum(1.0 - inputs["style"][:, 0], 0.0)
        content = self.objective.inner(self.content(inputs["image"]))
        style = self.objective.style.targets(mixed)
        return Targets(content, style, less**STRENGTH_POWER)


class PaintedTransfer(NetworkTransfer):
    """`NetworkTransfer` whose rows come from paintings."""

    told = (*NetworkTransfer.told, IDENTITY)

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Return the `picture` of `image`, and the `rows` it was painted by."""
        rows = self.generator.rows(inputs)
        given = {"image": inputs["image"], "style": rows}
        return {"picture": self.generator(given, training=training), "rows": rows}

    def judge(
        self, x: dict[str, Tensor], y_pred: dict[str, Tensor], training: bool
    ) -> LossParts:
        """Return the loss of the pictures, with the identity term.

        A photograph that is its own painting has nothing to be changed. Features alone
        leave its pixels much room.
        """
        picture = y_pred["picture"]
        parts = super().judge(x | {"rows": y_pred["rows"]}, picture, training)
        apart = ops.mean(ops.abs(picture - x["image"]), axis=(1, 2, 3))
        identity = _IDENTITY * ops.mean(x["own"][:, 0] * apart)
        terms = parts.terms | {IDENTITY: identity}
        return LossParts(parts.total + identity, terms)

    def counted(self, x: dict[str, Tensor]) -> Tensor:
        """Return 1 for pictures whose content error the budget learns, float32."""
        return super().counted(x) * (1.0 - x["own"])

    def weighed(self, sums: Sums, targets: Targets) -> Targets:
        """Make pictures far from their paintings lighter.

        Else a photograph beside a dark or even painting, whose relative error is a
        hundred times the usual, decides the step alone. The gradient is that of the
        logarithm of 1 plus the error.
        """
        error = self.objective.style.errors(sums, targets._replace(strength=None))
        factor = 1.0 / (1.0 + ops.stop_gradient(error))
        return targets._replace(strength=factor * targets.strength)


def build_painter(settings: NetworkSettings, *, encoder_dtype: str) -> Painter:
    """Build a painter whose encoder begins as the compressed loss network.

    Args:
        settings: Of the transform network, whose styles are a vector's elements.
        encoder_dtype: Compute dtype of the encoder.
    """
    encoder = StyleEncoder(settings.styles, dtype=encoder_dtype)
    given = read_lite(LITE).layers
    for index, (name, narrow, _, _) in enumerate(LAYERS):
        factors = given[name]
        kernel, bias = factors.kernel, factors.bias
        if index == 0:  # From RGB 0..1 to BGR 0..255 less its mean.
            bias = bias - np.einsum("hwcf,c->f", kernel, _MEAN)
            kernel = 255.0 * kernel[:, :, ::-1]
        if narrow is None:
            encoder.get_layer(name).set_weights([kernel, bias])
        else:
            encoder.get_layer(f"{name}_narrow").set_weights([kernel])
            encoder.get_layer(name).set_weights(
                [np.asarray(factors.mix)[None, None], bias]
            )
        for part in (name, f"{name}_narrow"):
            if narrow is not None or part == name:
                encoder.get_layer(part).trainable = False
    return Painter(encoder, TransformNetwork(settings))


def standardise(encoder: StyleEncoder, squares: np.ndarray) -> None:
    """Let an encoder know which statistics are usual.

    Args:
        encoder: Whose convolutions have their weights.
        squares: Of paintings, uint8 `[M, S, S, 3]`.
    """
    statistics = keras.Model(encoder.input, encoder.get_layer("statistics").output)
    chosen = squares[:: -(-len(squares) // _MOST)]
    found = np.concatenate(
        [
            ops.convert_to_numpy(statistics(part.astype("float32")[None] / 255.0))
            for part in chosen
        ]
    )
    scale = 1.0 / np.maximum(found.std(axis=0), _SAME)
    encoder.get_layer("usual").set_weights([found.mean(axis=0), scale])


def _blend(values: Tensor, mix: Tensor) -> Tensor:
    """Return `mix` of each row of `[B, ...]` and the rest of the one before."""
    shape = (-1, *[1] * (len(values.shape) - 1))
    own = ops.reshape(mix, shape)
    return own * values + (1.0 - own) * ops.roll(values, 1, axis=0)
