"""`nst evaluate --video`: how much the films of a trained network flicker."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nst_tf.commands import console

if TYPE_CHECKING:
    from nst_tf.video.measure import ClipScore
    from nst_training.commands.evaluate import Job

_FIGURES = ("near", "far", "content", "style")


def score_films(
    job: "Job",
    films: Sequence[Path],
    paintings: list[Path],
    photos: list[Path],
    state: Path,
) -> dict[str, Any]:
    """Run `nst evaluate --video` on what was read; return the scorecard."""
    console.import_quietly()
    from nst_tf.video.needs import quiet_ffmpeg
    from nst_training.films import evaluate_films

    quiet_ffmpeg()

    def show(found: "ClipScore") -> None:
        if not job.quiet:
            print(found.line(), flush=True)

    card = evaluate_films(
        job.model,
        films,
        [] if films else photos,
        paintings,
        size=job.size,
        count=job.frames,
        against=job.against,
        observer=show,
        state=state,
        resume=job.resume,
    )
    if not job.quiet:
        _print(card)
    return card


def _print(card: Mapping[str, Any]) -> None:
    """Print medians and worst figures, a table a style."""
    from rich.console import Console
    from rich.table import Table

    for style, ways in card["styles"].items():
        title = f"{style}: median and worst, over {card['base']}"
        table = Table("", "near/input", *_FIGURES, "still", title=title, box=None)
        for way, found in ways.items():
            still = card["still"][style].get(way)
            cells = [
                _cell(found["over_input"].get("near")),
                *(_cell(found["over_base"].get(name)) for name in _FIGURES),
                "" if still is None else f"{still:.2f}",
            ]
            table.add_row(way, *cells)
        Console().print(table)


def _cell(found: Mapping[str, float] | None) -> str:
    return "" if found is None else f"{found['median']:.2f} {found['worst']:.2f}"
