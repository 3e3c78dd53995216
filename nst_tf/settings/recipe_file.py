"""Recipes: one TOML file a style or gallery, read into frozen dataclasses."""

import tomllib
from os import PathLike
from pathlib import Path
from typing import Any

from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import from_plain
from nst_tf.settings.train import TrainSettings


def read_recipe(path: str | PathLike[str], **changes: Any) -> TrainSettings:
    """Read a TOML recipe, naming all that is wrong with it at once.

    Args:
        path: The file.
        **changes: Settings of `TrainSettings` that take the place of the file's.

    Raises:
        InputError: No such file, no TOML, unknown keys, values that don't fit.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"there is no recipe {path}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"can't read the recipe {path}: {error}") from error
    try:
        return from_plain(TrainSettings, values | changes, folder=path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
