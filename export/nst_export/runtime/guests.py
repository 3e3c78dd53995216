"""Styles by what a user names: those of a model, paintings, files of one style."""

from collections.abc import Sequence
from pathlib import Path

from nst_export.runtime.encoder import PaintingEncoder, open_encoder
from nst_export.runtime.mix import chosen_mix, parse_mix
from nst_export.runtime.stylizer import Stylizer, bundled, model_file
from nst_tf.settings.checks import InputError
from nst_tf.style_file import SUFFIX, StyleVector, read_style


def chosen_model(
    model: Path | None, style: str | None, mix: str | None, painting: Path | None
) -> Path:
    """Return the file of a model, or the one that ships and takes what is asked for."""
    if model is not None:
        return model_file(model)
    return bundled("any") if files_meant(style, mix, painting) else bundled()


def files_meant(
    style: str | None, mix: str | None, painting: Path | None
) -> list[Path]:
    """Return the paintings and files of styles that are asked for.

    Raises:
        InputError: The mix is none.
    """
    names = parse_mix(mix) if mix is not None else [style] if style is not None else []
    files = [Path(name) for name in names if _is_file(name)]
    return [*files, painting] if painting is not None else files


def chosen_styles(
    path: Path,
    model: Stylizer,
    style: str | None,
    mix: str | None,
    painting: Path | None,
) -> tuple[dict[str, float], list[StyleVector]]:
    """Return the share of each style that is asked for, and those the model lacks.

    Args:
        path: Of the model.
        model: What paints.
        style: A name, or the file of a style.
        mix: `NAME=SHARE,NAME=SHARE`, with names, files of styles or paintings.
        painting: A painting instead.

    Raises:
        InputError: There is no such style, painting or file, or the model does not take
            them.
    """
    if painting is not None:
        if style is not None or mix is not None:
            raise InputError("give --painting, or --style or --mix, not both")
        guests = _guests(path, model, [str(painting)])
        return {guests[0].name: 1.0}, guests
    shares = {} if style is mix is None else chosen_mix(style, mix, model.styles)
    others = [name for name in shares if name not in model.styles]
    files = [name for name in others if _is_file(name)]
    for name in others:
        if name not in files and _is_path(name):
            raise InputError(f"there is no file {name}")
    if not model.styles and not files:
        raise InputError(
            f"{path} is for any painting and has no styles of its own: give --painting,"
            f" or --style with a file {SUFFIX}"
        )
    if not files:
        return shares or chosen_mix(None, None, model.styles), []
    guests = _guests(path, model, files)
    names = dict(zip(files, (guest.name for guest in guests), strict=True))
    return {names.get(name, name): share for name, share in shares.items()}, guests


def _is_path(name: str) -> bool:
    """Tell whether a file is meant: names of styles have neither dot nor slash."""
    return bool({".", "/", "\\"} & set(name))


def _is_file(name: str) -> bool:
    """Tell whether a file is meant, and there."""
    if not _is_path(name):
        return False
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # Too long, or a zero in it.
        return False


def _guests(path: Path, model: Stylizer, files: Sequence[str]) -> list[StyleVector]:
    """Return paintings and files of styles as styles, with names of their own."""
    if model.rows is None:
        raise InputError(
            f"{path} is not for any painting: it has the styles"
            f" {', '.join(model.styles)}, and takes no {files[0]}"
        )
    encoder: PaintingEncoder | None = None
    found: list[StyleVector] = []
    for file in files:
        if file.endswith(SUFFIX):
            guest = read_style(Path(file), model.card)
        else:
            encoder = encoder or open_encoder(path, model.card)
            guest = encoder.style(Path(file), Path(file).stem)
        taken = [*model.styles, *(other.name for other in found)]
        name, number = guest.name, 1
        while name in taken:
            number += 1
            name = f"{guest.name} {number}"
        found.append(guest._replace(name=name))
    return found
