"""What the styles of a model for any painting are to its network.

It takes a picture's style as one row of numbers: the photograph's share, then scales
and shifts of all normalisations. Named styles, paintings and blends are sums of rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nst_tf.settings.checks import InputError
from nst_tf.style_file import from_text


def rows_of(card: Mapping[str, Any]) -> np.ndarray | None:
    """Return what a model's styles are to its network, the photograph's own first.

    Returns:
        float32 `[N + 1, S + 1]`; None for a model that takes weights.

    Raises:
        InputError: The card can't be used.
    """
    if card.get("any") is None:
        return None
    try:
        size = int(card["any"])
        vectors = [from_text(style["vector"]) for style in card["styles"]]
        own = card.get("photograph")
        first = np.zeros(size, "float32") if own is None else from_text(own)
        return more_rows(np.concatenate([[1.0], first])[None], vectors)
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise InputError(f"the model's card can't be used: {error}") from error


def more_rows(rows: np.ndarray, vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Return rows `[N, S + 1]` with those of more styles `[S]` after them."""
    more = [np.concatenate([[0.0], vector]) for vector in vectors]
    return np.concatenate([rows, *(row[None] for row in more)]).astype("float32")
