"""The loss and what it is the sum of."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nst_tf.settings.loss import TERMS

Tensor = Any
TEMPORAL, TONE, IDENTITY = "temporal", "tone", "identity"
TRAINING_TERMS = (TEMPORAL, TONE)
"""Names of the terms that trainings have besides `TERMS`; those for any painting also
have `IDENTITY`."""


class LossParts(NamedTuple):
    """The weighted terms of the loss, float32 scalars; every term is an attribute too.

    Attributes:
        total: Their sum.
        terms: Each by its name.

    Example:
        >>> LossParts(3.0, {"content": 1.0, "style": 2.0}).style
        2.0
    """

    total: Tensor
    terms: dict[str, Tensor]

    def __getattr__(self, name: str) -> Tensor:
        try:
            return self.terms[name]
        except KeyError:
            raise AttributeError(
                f"the loss has no term {name}; it has {', '.join(self.terms)}"
            ) from None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "LossParts":
        """Return the parts that `flat` wrote, or those among the logs of `fit`."""
        names = (*TERMS, *TRAINING_TERMS, IDENTITY)
        terms = {name: float(values[name]) for name in names if name in values}
        return cls(float(values["total"]), terms)

    @classmethod
    def unknown(cls) -> "LossParts":
        """Return parts that are all NaN, before anything was evaluated."""
        return cls(math.nan, dict.fromkeys(TERMS, math.nan))

    def flat(self) -> dict[str, Tensor]:
        """Return total and terms by name, as logs and cards hold them."""
        return {"total": self.total, **self.terms}

    def map(self, function: Callable[[Tensor], Tensor]) -> "LossParts":
        """Return the parts with a function applied to total and terms."""
        terms = {name: function(value) for name, value in self.terms.items()}
        return LossParts(function(self.total), terms)

    def text(self, number: Callable[[Tensor], str]) -> str:
        """Return the sum as people read it, without terms that are 0.

        Example:
            >>> LossParts(3, {"content": 1, "style": 2, "tv": 0}).text(str)
            '3 = content 1 + style 2'
        """
        terms = [f"{name} {number(x)}" for name, x in self.terms.items() if x]
        return " = ".join([number(self.total), *([" + ".join(terms)] if terms else [])])
