"""Trained models that ship, by their names: where a wheel or a checkout has them."""

from importlib.util import find_spec
from pathlib import Path

NAMES = ("gallery", "any")
"""The gallery of named styles, and the model for any painting."""


def is_shipped(name: Path) -> bool:
    """Tell whether a model that ships is meant, and no folder of that name."""
    return str(name) in NAMES and not name.is_dir()


def shipped(name: Path) -> Path | None:
    """Return the folder of a model that ships, as `nst train` wrote it.

    Args:
        name: What a user gave.

    Returns:
        None if it is another path, or this installation has no such model.
    """
    if not is_shipped(name):
        return None
    found = find_spec("nst_export")
    if found is None or found.origin is None:
        return None
    package = Path(found.origin).parent
    inside = package / "gallery" / "trained" / str(name)
    checkout = package.parents[1] / "training" / "models" / str(name)
    for folder in (inside, checkout):
        if (folder / "model.keras").is_file():
            return folder
    return None


def model_folder(path: Path) -> Path:
    """Return the folder of the model that a user gave: one that ships, or the path."""
    return shipped(path) or path
