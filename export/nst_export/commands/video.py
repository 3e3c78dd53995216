"""`nst video`: a film in a style, with its sound."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nst_export.commands.video_run import FilmJob, fingerprint, run_film
from nst_export.runtime.drafts import DRAFT
from nst_tf.commands import console
from nst_tf.commands.program import program
from nst_tf.settings.checks import MIN_SIDE, InputError, at_least, reject

if TYPE_CHECKING:
    import numpy as np

    from nst_tf.video.film import Film
    from nst_tf.video.run import Painter
if TYPE_CHECKING:
    Engine = str
else:
    from nst_export.runtime.engines.choose import Engine

_BESIDE = 12
"""Frames, as float32, that a run holds besides the one that is painted: those that
wait before and behind it, and what the encoder looks at."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job(FilmJob):
    """What `nst video` reads, writes and shows."""

    style: str | None = None
    """The style; nst styles lists them. Or a file of a style, .style.json, that nst
    train --add-style wrote."""
    mix: str | None = None
    """Several styles with their shares instead: night=0.6,wave=0.4. Or paintings:
    mine.jpg=0.5,other.jpg=0.5."""
    painting: Path | None = None
    """Any painting, in whose manner to paint."""
    optimize: bool = False
    """Paint by the loss itself, as nst optimize does: nst video FILM PAINTING
    --optimize -o OUT. Has flags of its own: nst video --optimize --help."""
    strength: float = 1.0
    """0 is the film, 1 the style as trained; up to 1.5 it takes more."""
    model: Path | None = None
    """A .tflite, an .onnx or a SavedModel folder, or a model that ships: gallery,
    which it is without this, or any, which it is for paintings."""
    keep_colors: bool = False
    """Paint the brightness only; colours stay the film's."""
    draft: int | None = DRAFT
    """Short side in pixels at which larger frames are drafted, before finer brushwork
    is painted over it; None paints each in one pass, which is faster."""
    stabilize: bool = False
    """Hold each picture along the motion of the film, where that is certain."""
    frame_by_frame: bool = False
    """Paint every frame as if it were alone: it flickers."""
    engine: Engine = "auto"
    """What runs the model."""
    threads: int | None = None
    """Threads of the model; without it one a core. A SavedModel takes all."""


def video(job: Job) -> int:
    """Run `nst video`; return the exit code."""
    from nst_export.runtime.guests import chosen_model, files_meant
    from nst_tf.video.encode import PART

    if job.threads is not None and job.threads < 1:
        raise InputError(f"threads must be at least 1, got {job.threads}")
    if job.draft is not None:
        reject(at_least("draft", job.draft, least=MIN_SIDE))
    files = files_meant(job.style, job.mix, job.painting)
    path = chosen_model(job.model, job.style, job.mix, job.painting)
    return run_film(
        job, lambda film: _paints(job, film), inputs=(path, *files), part=PART
    )


def _paints(job: Job, film: "Film") -> "tuple[Painter, Mapping[str, Any]]":
    """Return what paints the frames, and what decides how."""
    del film
    with console.silence():
        painter, facts = _painter(job)
    if job.stabilize:
        from nst_tf.video.stabilize import Stabilized

        painter = Stabilized(painter)
    if job.keep_colors:
        painter = _KeepColors(painter)
    names = ("keep_colors", "frame_by_frame", "stabilize")
    return painter, {**facts, **{name: getattr(job, name) for name in names}}


def _painter(job: Job) -> "tuple[Painter, Mapping[str, Any]]":
    """Return what paints the frames, and what decides how besides the flags."""
    import numpy as np

    from nst_export.runtime.clip import ClipStylizer
    from nst_export.runtime.guests import chosen_model, chosen_styles
    from nst_export.runtime.mix import mix_weights
    from nst_export.runtime.stylizer import Stylizer
    from nst_tf.style_file import to_text
    from nst_tf.video.statistics import MEMORY

    path = chosen_model(job.model, job.style, job.mix, job.painting)
    model = Stylizer.load(path, engine=job.engine, threads=job.threads)
    carries = model.tile_session is not None and not job.frame_by_frame
    if carries and model.engine != "litert":
        raise InputError(
            f"{model.engine} paints every frame alone, for only LiteRT holds a film"
            " still from frame to frame: give --frame-by-frame with it, or a .tflite"
            " without --engine"
        )
    mix, guests = chosen_styles(path, model, job.style, job.mix, job.painting)
    model = model.with_styles(guests)
    weights = mix_weights(model.styles, mix, strength=job.strength)
    memory = 0.0 if job.frame_by_frame else MEMORY
    clip = ClipStylizer(model, weights, memory=memory, beside=_BESIDE, draft=job.draft)
    # What LiteRT says of its first pass would break the bar.
    clip(np.zeros((MIN_SIDE, MIN_SIDE, 3), "float32"), 0.0)
    clip.restore({"seconds": np.asarray(0.0)})
    vectors = [to_text(guest.vector) for guest in guests]
    facts: dict[str, Any] = {"vectors": vectors} if vectors else {}
    facts |= {"model": fingerprint(path), "engine": model.engine, "weights": weights}
    facts["draft"] = job.draft
    return clip, facts


class _KeepColors:
    """A painter whose pictures have the colours of the film."""

    def __init__(self, painter: "Painter") -> None:
        self.painter = painter
        self.state, self.restore = painter.state, painter.restore

    def __call__(self, pixels: "np.ndarray", seconds: float) -> "np.ndarray":
        from nst_tf.imaging.color import keep_colors

        return keep_colors(self.painter(pixels, seconds), pixels)


_program = program(
    video,
    Job,
    command="video",
    description="Paint a film with an exported model, and keep its sound.",
)


def main(arguments: list[str]) -> int:
    """Run `nst video`, with a model or by the loss itself; return the exit code."""
    if "--optimize" in arguments:
        from nst_export.commands.video_optimize import main as optimized

        return optimized(arguments)
    return _program(arguments)
