"""Keras finds the classes of saved networks, without either package loading the other.

`keras.models.load_model` looks a class up among those that were registered, which
happens when its module is loaded; and `import nst_tf` must not load Keras.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class _WhenLoaded:
    """Registers the classes as soon as Keras has been loaded, by whomever.

    A `MetaPathFinder` by its method alone: importlib.abc loads as much as Pillow does.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            register()

        spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec


def register() -> bool:
    """Register the classes of networks if Keras is loaded; return whether they are."""
    if "nst_tf.network" in sys.modules:
        return True
    if "keras" not in sys.modules:
        return False
    try:
        importlib.import_module("nst_tf.network")
    except ImportError:
        # A module of this package that the network needs is loading Keras just now. A
        # public name registers again when its module has been loaded.
        return False
    return True


def register_when_loaded() -> None:
    """Register the classes now, or when Keras will be loaded."""
    if not register():
        sys.meta_path.insert(0, _WhenLoaded())
