"""Which photographs are painted, and where each picture goes."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from nst_tf.imaging.folder import find_images
from nst_tf.imaging.formats import SUFFIXES
from nst_tf.imaging.open import kind_of_file
from nst_tf.places import check_places, inside, place_of
from nst_tf.settings.checks import InputError

_NAME_OF_A_FORMAT = re.compile(r"\.[A-Za-z][A-Za-z0-9]*")


class Pair(NamedTuple):
    """A photograph and the file of its picture."""

    photo: Path
    output: Path

    @property
    def is_done(self) -> bool:
        """Whether the picture is there and newer than the photograph."""
        try:
            made, taken = self.output.stat(), self.photo.stat()
        except OSError:
            return False
        return made.st_mtime_ns >= taken.st_mtime_ns


class Plan(NamedTuple):
    """What a command paints.

    Attributes:
        pairs: Every photograph once, every output once.
        folder: Where the pictures go; None for a single file.
        passed_over: A line about the files of other kinds, "" without any.
    """

    pairs: list[Pair]
    folder: Path | None
    passed_over: str


def plan_pairs(
    photos: Sequence[Path],
    output: Path,
    *,
    depth: int = 8,
    others: Sequence[Path] = (),
    overwrite: bool = False,
) -> Plan:
    """Find the photographs and give each a file of its own.

    Pictures of a JPEG are JPEGs, all others and those of 16 bits PNGs. Where two would
    have one name, the name gets that of the photograph's folder, or a number.

    Args:
        photos: Files and folders.
        output: A file for one photograph, else a folder.
        depth: Bits a channel of the pictures.
        others: What else is read and is not to be replaced: model, painting.
        overwrite: Whether a picture may take the place of a photograph.

    Raises:
        InputError: There is none, or something would be lost.
    """
    image = output.suffix.lower() in SUFFIXES and not output.is_dir()
    single = len(photos) == 1 and not photos[0].is_dir()
    inputs = [*photos, *others]
    if single and image:
        check_places([output], inputs=inputs, overwrite=overwrite)
        return Plan([Pair(photos[0], output)], None, "")
    if image:
        raise InputError(
            f"for several photographs the output must be a folder, got {output}"
        )
    if _NAME_OF_A_FORMAT.fullmatch(output.suffix) and not output.is_dir():
        raise InputError(
            f"can't make {output}: a picture must end in one of {', '.join(SUFFIXES)};"
            " a folder whose name ends like a file's must be there already"
        )
    for given in photos:
        if given.is_dir() and not overwrite and place_of(given) == place_of(output):
            raise InputError(
                f"the output {output} is the folder of the photographs: choose another,"
                " or add --overwrite to replace them"
            )
    pairs: list[Pair] = []
    taken: set[str] = set()
    lines = []
    for given in photos:
        if given.is_dir():
            # Those of an earlier run are no photographs.
            own = [output] if inside(output, given) else []
            found = find_images(given, leave=own)
            files = found.files
            lines += [f"{given}: {found.passed_over}"] if found.passed_over else []
        else:
            files = [given]
        for file in files:
            for wanted in _names_of(file, given, depth):
                if (place := place_of(output / wanted)) not in taken:
                    taken.add(place)
                    pairs.append(Pair(file, output / wanted))
                    break
    if not pairs:
        beside = f"; {'; '.join(lines)}" if lines else ""
        raise InputError(f"there is no photograph in the folders given{beside}")
    check_places(
        [pair.output for pair in pairs],
        inputs=[*(pair.photo for pair in pairs), *inputs],
        overwrite=overwrite,
    )
    return Plan(pairs, output, "; ".join(lines))


def _names_of(file: Path, given: Path, depth: int) -> Iterator[PurePath]:
    """Yield names for the picture of a file that was given or lies in a folder."""
    kind = SUFFIXES.get(file.suffix.lower()) or kind_of_file(file)
    inside = file.relative_to(given) if given.is_dir() else Path(file.name)
    folder = (given if given.is_dir() else file.parent).resolve().name
    return names(inside, kind, folder, depth)


def names(
    inside: PurePath, kind: str | None, folder: str, depth: int
) -> Iterator[PurePath]:
    """Yield names for a picture below the folder of all, the best first.

    Args:
        inside: The photograph's name below the folder that was given.
        kind: Its format, as `kind_of` names it.
        folder: Name of the folder.
        depth: Bits a channel of the picture.
    """
    ending = ".jpg" if kind == "JPEG" and depth == 8 else ".png"
    plain = inside.with_suffix(ending)
    yield plain
    if inside.suffix.lower() != ending:
        yield inside.with_name(f"{inside.name}{ending}")
    yield plain.with_name(f"{folder}-{plain.name}")
    for number in itertools.count(2):
        yield plain.with_name(f"{folder}-{plain.stem}-{number}{ending}")
