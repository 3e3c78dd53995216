"""The terms of the loss: a class each, by its name."""

from nst_tf.loss.content import Content
from nst_tf.loss.style.term import Style
from nst_tf.loss.term import Term
from nst_tf.loss.variation import Variation
from nst_tf.settings.loss import TERMS, LossSettings

_CLASSES: tuple[type[Term], ...] = (Content, Style, Variation)


def build_terms(settings: LossSettings) -> dict[str, Term]:
    """Return the terms of a loss by name, in the order of `TERMS`."""
    classes = {term.name: term for term in _CLASSES}
    return {name: classes[name](settings) for name in TERMS}
