"""The model card: what an app must know of an exported model, as JSON and Markdown.

The JSON lies beside every file and inside the `.tflite`, as a metadata buffer named
`nst-tf`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nst_tf.settings.checks import InputError, file_name, reject

KEY = "nst-tf"
"""Name of the metadata buffer in a `.tflite`."""
FILE = "card.json"
"""Name of the card beside the files."""

_BUFFERS, _METADATA = 12, 16
"""Places in the root table of a `.tflite`, by its schema; below those in the tables of
an entry of the metadata and of a buffer."""
_NAME, _BUFFER, _DATA = 4, 6, 4

VECTOR_KEYS = ("any", "network", "photograph")
"""Of a model for any painting: numbers of a style's vector, hash of the network that
vectors fit, the photograph's own vector. Styles have theirs beside their names."""

Card = dict[str, Any]


def make_card(
    trained: Mapping[str, Any],
    *,
    files: Sequence[Mapping[str, Any]] = (),
    single: bool = False,
    licence: str | None = None,
) -> Card:
    """Return the card of an exported model.

    Args:
        trained: The `model.json` of the trained model.
        files: What `verify` found, a mapping a file.
        single: Whether the only style is fixed, and the weights are no input.
        licence: Of the model, as the Hugging Face Hub writes it, if it is known.
    """
    names = [style["name"] for style in trained["styles"]]
    size = trained.get("any")
    inputs = {
        "image": "float32 [1, H, W, 3], RGB, 0..1; H and W multiples of 4, 16 or"
        " more; mirror the border to get there and cut the result"
    }
    if size is not None and not single:
        inputs["style"] = (
            f"float32 [1, {size + 1}]: the photograph's share s, then s times its own"
            " vector (photograph) plus the styles' vectors times their shares; all"
            " shares have the sum 1"
        )
    elif not single:
        inputs["style"] = (
            f"float32 [1, {len(names) + 1}]: photograph, {', '.join(names)};"
            " 0 or more, sum 1; with a strength s of up to 1.5 the photograph has 1 - s"
        )
    return {
        "program": trained["program"],
        "name": trained["name"],
        "license": licence or "unknown",
        "styles": list(trained["styles"]),
        **{key: trained[key] for key in VECTOR_KEYS if key in trained and not single},
        "inputs": inputs,
        "outputs": {"picture": "float32 [1, H, W, 3], RGB, 0..1"},
        "training": {
            key: trained[key]
            for key in ("step", "seconds", "base", "recipe", "scorecard")
            if key in trained
        },
        "files": [dict(file) for file in files],
    }


def style_names(card: Mapping[str, Any]) -> list[str]:
    """Return the names of the styles of a card, in the order of the weights from 1.

    Raises:
        InputError: It is no card.
    """
    try:
        names = [str(style["name"]) for style in card["styles"]]
        if not names and not card.get("any"):
            raise ValueError("no styles")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"it names {', '.join(twice)} twice")
        reject(file_name("the model's name", card.get("name", "styles")))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the model's card can't be used: {error}") from error
    return names


def read_sidecar(path: Path) -> Card:
    """Read the card that lies beside a model, or in one of the folders above it.

    Raises:
        InputError: There is none, or it can't be read.
    """
    for folder in (path, *path.parents[:3]):
        file = folder / FILE
        if file.is_file():
            try:
                card: Card = json.loads(file.read_text("utf-8"))
            except (OSError, ValueError, RecursionError) as error:
                raise InputError(
                    f"can't read the model card {file}: {error}"
                ) from error
            return card
    raise InputError(
        f"{path} has no model card: {FILE}, which nst export writes, must lie beside it"
    )


def embed(model: bytes, card: Mapping[str, Any]) -> bytes:
    """Return a `.tflite` with the card inside."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    tree = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    buffer = schema.BufferT()
    text = json.dumps(card, ensure_ascii=False, separators=(",", ":"))
    buffer.data = list(text.encode())
    tree.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = KEY, len(tree.buffers) - 1
    tree.metadata = [m for m in tree.metadata or [] if _text(m.name) != KEY] + [entry]
    tree.description = f"nst-tf style transfer: {card['name']}"
    return bytes(flatbuffer_utils.convert_object_to_bytearray(tree))


def extract(model: bytes) -> Card | None:
    """Return the card inside a `.tflite`, None if there is none."""
    from flatbuffers.encode import Get
    from flatbuffers.number_types import UOffsetTFlags
    from flatbuffers.table import Table

    # Without the schema's own module, which takes longer to import than a small picture
    # to decode.
    root = Table(model, Get(UOffsetTFlags.packer_type, model, 0))
    metadata = root.Offset(_METADATA)
    for index in range(root.VectorLen(metadata) if metadata else 0):
        entry = _element(root, _METADATA, index)
        name = entry.Offset(_NAME)
        if name and entry.String(entry.Pos + name) == KEY.encode():
            number = entry.GetSlot(_BUFFER, 0, UOffsetTFlags)
            buffer = _element(root, _BUFFERS, number)
            data = buffer.Offset(_DATA)
            first = buffer.Vector(data)
            text = model[first : first + buffer.VectorLen(data)]
            card: Card = json.loads(text)
            return card
    return None


def _element(table: Any, slot: int, index: int) -> Any:
    """Return an element of a table's vector of tables."""
    place = table.Vector(table.Offset(slot)) + 4 * index
    return type(table)(table.Bytes, table.Indirect(place))


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def markdown(card: Mapping[str, Any]) -> str:
    """Return the card as a README with a YAML head."""
    licences = sorted({s["licence"] for s in card["styles"] if s.get("licence")})
    lines = [
        "---",
        f"license: {card['license']}",
        "library_name: litert",
        "pipeline_tag: image-to-image",
        "tags: [style-transfer, nst-tf]",
        "---",
        f"# {card['name']}",
        "",
        "Feed-forward neural style transfer; one pass paints a photograph.",
        "",
        "| weight | style | credit | licence |",
        "|---|---|---|---|",
        "| 0 | the photograph itself (strength is a mix with it) | | |",
    ]
    for index, style in enumerate(card["styles"], 1):
        told = (style["name"], style.get("credit", ""), style.get("licence", ""))
        # A bar would end its cell, a new line the table.
        cells = [" ".join(str(text).split()).replace("|", "\\|") for text in told]
        lines.append(f"| {index} | {' | '.join(cells)} |")
    lines += ["", "## Inputs and output", ""]
    for part in ("inputs", "outputs"):
        lines += [f"- `{name}`: {text}" for name, text in card[part].items()]
    if card["files"]:
        lines += [
            "",
            "## Files",
            "",
            "Compared with the Keras model on the same photographs; loss: what the file"
            " has of the loss that was trained, over what the model has; milliseconds"
            " at 1 and 2 threads.",
            "",
            "| file | MB | size | PSNR dB | max difference | loss | 1 thread |"
            " 2 threads |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for file in card["files"]:
            cells = [
                file["file"],
                f"{file['bytes'] / 1e6:.2f}",
                file["size"],
                *_compared(file),
            ]
            lines.append(f"| {' | '.join(cells)} |")
        if any(not file.get("checked", True) for file in card["files"]):
            lines += [
                "",
                "Not checked: nothing on the machine that wrote it runs this file.",
            ]
    if licences:
        lines += ["", f"Licences of the paintings: {', '.join(licences)}."]
    return "\n".join(lines) + "\n"


def _compared(file: Mapping[str, Any]) -> list[str]:
    """Return what the comparison of a file found, a cell each."""
    if not file.get("checked", True):
        return ["not checked", *4 * [""]]
    if "psnr" not in file:  # An encoder's vectors.
        return ["", f"{file['max_difference']:.1e}", *3 * [""]]
    taken = [file["milliseconds"].get(threads) for threads in ("1", "2")]
    times = ["" if time is None else f"{time:.0f}" for time in taken]
    return [
        f"{file['psnr']:.1f}",
        f"{file['max_difference']:.1e}",
        str(file.get("loss_ratio", "")),
        *times,
    ]
