"""Which photographs of which storage are painted, and where each picture goes."""

import dataclasses
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nst_export.bulk.manifest import Row
from nst_export.bulk.tasks import Task
from nst_export.pairs import names
from nst_tf.imaging.folder import Found, find_images
from nst_tf.imaging.formats import SUFFIXES, kind_of, readable_suffixes
from nst_tf.places import check_places
from nst_tf.settings.checks import InputError
from nst_tf.storage import Store


class Given(NamedTuple):
    """A photograph that was found.

    Attributes:
        store: The folder that was given, or the photograph itself.
        name: Its name below the folder, "" for the store itself.
        time: When it was written, None where that is not known yet.
        look: Which weights it is painted with.
    """

    store: Store
    name: str
    time: float | None
    look: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run paints.

    Attributes:
        tasks: What is left to do.
        done: How many pictures are there already.
        passed_over: A line about the files of other kinds, "" without any.
    """

    tasks: list[Task]
    done: int
    passed_over: str


def plan_tasks(
    places: Sequence[str],
    output: Store,
    *,
    name: str = "",
    rows: Sequence[Row] = (),
    look: Callable[[Row | None], int],
    depth: int = 8,
) -> Plan:
    """Find the photographs, give each a name of its own, leave out what is done.

    Names are those of `plan_pairs`; a photograph is done if its picture is there and no
    older, where the storage tells.

    Args:
        places: Files and folders; of rows the one that their paths are relative to.
        output: The folder of the pictures.
        name: Of the one picture, if it is to have a name of its own.
        rows: Of a manifest.
        look: Returns which weights a row, or a photograph of no row, is painted with.
        depth: Bits a channel of the pictures.

    Raises:
        InputError: There is none, or something would be lost.
    """
    lines: list[str] = []
    if rows:
        found = list(_of_rows(places, rows, look))
    else:
        one = look(None)
        found = [each for p in places for each in _below(Store(p), output, one, lines)]
    if not found:
        beside = f"; {'; '.join(lines)}" if lines else ""
        raise InputError(f"there is no photograph in the folders given{beside}")
    if name and len(found) > 1:
        raise InputError("for several photographs the output must be a folder")
    there = output.files()
    tasks: list[Task] = []
    taken: set[str] = set()
    outputs: list[str] = []
    done = 0
    for given in found:
        wanted = name or _free(given, depth, taken)
        outputs.append(wanted)
        if wanted in there and not _is_newer(given, there[wanted]):
            done += 1
        else:
            tasks.append(Task(given.store.place, given.name, wanted, given.look))
    _check(found, outputs, output)
    return Plan(tasks, done, "; ".join(lines))


def _below(store: Store, output: Store, look: int, lines: list[str]) -> Iterator[Given]:
    """Yield the photographs of a place that was given."""
    if store.kind() == "file":
        yield Given(store, "", store.time(""), look)
        return
    if _root(store) == _root(output):
        raise InputError(
            f"the output {output.place} is the folder of the photographs: choose"
            " another"
        )
    if store.local is not None:
        own = [output.local] if output.local is not None else []  # Of earlier runs.
        images = find_images(store.local, leave=own)
        for file in images.files:
            yield Given(store, file.relative_to(store.local).as_posix(), None, look)
    else:
        times, others = store.files(), Counter[str]()
        top, own_root = f"{_root(store)}/", f"{_root(output)}/"
        inner = own_root.removeprefix(top) if own_root.startswith(top) else None
        for name in sorted(times, key=PurePosixPath):
            path = PurePosixPath(name)
            if any(part.startswith(".") for part in path.parts):
                continue
            if inner and name.startswith(inner):  # Of an earlier run.
                continue
            if path.suffix.lower() in readable_suffixes():
                yield Given(store, name, times[name], look)
            else:
                others[path.suffix.lower() or "without an ending"] += 1
        images = Found([], others)
    if images.passed_over:
        lines.append(f"{store.place}: {images.passed_over}")


def _of_rows(
    places: Sequence[str], rows: Sequence[Row], look: Callable[[Row | None], int]
) -> Iterator[Given]:
    """Yield the photographs of a manifest: below a place, or by paths of their own."""
    if len(places) != 1:
        raise InputError("beside a manifest give one folder, to which its paths belong")
    stores: dict[str, Store] = {}
    for row in rows:
        place, name = places[0], row.path
        if "://" in name or name.startswith("/"):
            place, _, name = name.rpartition("/")
        if place not in stores:
            stores[place] = Store(place or "/")
        yield Given(stores[place], name, None, look(row))


def _free(given: Given, depth: int, taken: set[str]) -> str:
    """Return the first good name for a picture that no other has, and take it."""
    root = PurePosixPath(given.store.root)
    inside = PurePosixPath(given.name or root.name)
    top = root if given.name else root.parent
    folder = top.name if given.store.local is None else Path(top).resolve().name
    if ".." in inside.parts:
        raise InputError(f"a manifest's path may not lead out of its folder: {inside}")
    kind = SUFFIXES.get(inside.suffix.lower())
    if kind is None and inside.suffix.lower() not in readable_suffixes():
        try:
            kind = kind_of(given.store.read(given.name, end=32))
        except InputError:  # It is left out when its turn comes.
            kind = None
    for wanted in names(inside, kind, folder, depth):
        key = unicodedata.normalize("NFC", str(wanted)).casefold()
        if key not in taken:
            taken.add(key)
            return str(wanted)
    raise AssertionError("names are without end")


def _is_newer(given: Given, made: float | None) -> bool:
    """Tell whether a photograph was written after its picture, where that is known."""
    time = given.time
    if time is None:
        try:
            time = given.store.time(given.name)
        except InputError:  # It is left out when its turn comes.
            return True
    return time is not None and made is not None and time > made


def _check(found: Sequence[Given], wanted: Sequence[str], output: Store) -> None:
    """Refuse to write over a photograph."""
    if output.local is not None:
        inputs = [
            Path(each.store.root, each.name) if each.name else Path(each.store.root)
            for each in found
            if each.store.local is not None
        ]
        if inputs:
            outputs = [output.local / name for name in wanted]
            check_places(outputs, inputs=inputs, offered=False)
        return
    taken = {f"{_root(output)}/{name}" for name in wanted}
    for each in found:
        path = f"{_root(each.store)}/{each.name}".rstrip("/")
        if path in taken:
            raise InputError(
                f"the output {output.place} holds the photograph"
                f" {each.store.url(each.name)}: choose another"
            )


def _root(store: Store) -> str:
    """Return what tells a place from another."""
    protocol = store.system.protocol
    kind = protocol if isinstance(protocol, str) else protocol[0]
    return f"{kind}://{store.root.strip('/')}"
