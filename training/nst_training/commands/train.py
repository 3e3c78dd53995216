"""`nst train`: flags over a recipe, progress, files."""

import contextlib
import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from nst_tf.commands import INTERRUPTED, PROGRAM, console
from nst_tf.commands.console import resuming
from nst_tf.commands.flags import ADDRESS
from nst_tf.commands.program import program
from nst_tf.imaging.formats import SUFFIXES
from nst_tf.places import check_places, held, inside
from nst_tf.running.log import Log
from nst_tf.settings.checks import InputError
from nst_tf.shipped import model_folder
from nst_training.settings import (
    StyleSettings,
    TrainSettings,
    read_recipe,
    style_name,
    sweep,
    with_style,
)

if TYPE_CHECKING:
    from nst_training.events import TrainStep
    from nst_training.workers.group import Workers

_BASE = ("model.keras", "model.json")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst train` reads, writes and shows."""

    recipe: tyro.conf.Positional[Path | None] = None
    """A TOML recipe, or a painting to train that one style with the defaults."""
    photos: str
    """The photographs to train on: a folder, a URL such as s3://BUCKET/FOLDER (needs
    nst-tf[ray] and s3fs), or tfds:NAME[:SPLIT]."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder for model, card, log, previews and state; without it one of the recipe's
    name."""
    add_style: str | None = None
    """NAME=IMAGE: instead of a recipe, one more style for the model of --base, whose
    weights keep their bits; of a painting that it has it begins at that style. With
    --base any, the model for any painting, it is tuned for minutes, and a file of
    that style alone is written."""
    base: Path | None = None
    """Folder of a trained model to start from, or gallery or any, those that ship; a
    recipe has its styles, and maybe more after them. With any, styles begin as what
    its encoder makes of the paintings, and all of the network is trained on."""
    sweep: tuple[float, ...] = ()
    """Factors: train every style at each of these strengths, to choose by looking."""
    in_memory: bool = False
    """Hold all photographs of the folder in the memory of the device that trains, as a
    GPU needs it to be kept busy: 0.9 GB for 1,000 photographs at the usual size."""
    data_dir: Path | None = None
    """Where tensorflow-datasets has its data sets; without it the library's folder."""
    checkpoint_every: int = 250
    """Steps between two saved states."""
    preview_every: int = 500
    """Steps between previews (0: none)."""
    log_every: int = 10
    """Steps between two lines of the log."""
    tensorboard: bool = False
    """Write curves and previews for TensorBoard too (needs nst-tf[tensorboard])."""
    overwrite: bool = False
    """Let the model take the place of a finished one."""
    resume: bool = False
    """Go on with the interrupted run of the same command."""
    hosts: str | None = None
    """Train with several processes on JAX: HOST:PORT,HOST:PORT,..., one a process, for
    all the same; they meet at the first. "auto": what Slurm, Kubernetes or jax has
    set."""
    rank: int | None = None
    """Number of this process among those of --hosts, from 0; without it the
    launcher's."""
    wait: float = 10.0
    """Seconds in which the processes of --hosts must have come."""
    ray: Annotated[str | None, ADDRESS] = None
    """Train with --workers processes that Ray starts, and starts again when one is
    lost: on the cluster at HOST:PORT or auto; alone on that of RAY_ADDRESS or one of
    this machine (needs nst-tf[ray])."""
    workers: int | None = None
    """Processes that --ray starts; each takes one GPU where the cluster has them."""
    quiet: bool = False
    """Draw no progress and print no summary."""

    def __post_init__(self) -> None:
        for name, least in (
            ("checkpoint_every", 1),
            ("preview_every", 0),
            ("log_every", 1),
        ):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}")


def _base(given: Mapping[str, Any]) -> TrainSettings:
    """Find the settings that the flags change: those of the recipe."""
    recipe, factors = given.get("recipe"), given.get("sweep", ())
    if given.get("add_style") is not None:
        return _added(given)
    if recipe is None:
        raise InputError("give a recipe, a painting, or --add-style with --base")
    from nst_tf.imaging.open import kind_of_file

    if kind_of_file(recipe) or recipe.suffix.lower() in SUFFIXES:
        name = style_name(recipe.stem)
        style = StyleSettings(name=name, image=recipe)
        settings = TrainSettings(name=name, styles=(style,))
    else:
        settings = read_recipe(recipe)
    if "convention" in given and "palette" not in given:
        # Another convention has a palette of its own: that of the recipe's is none.
        convention = given["convention"]
        loss = dataclasses.replace(settings.loss, convention=convention, palette=None)
        settings = dataclasses.replace(settings, loss=loss)
    if factors and settings.paintings is not None:
        raise InputError("--sweep is for styles, not for any painting")
    return sweep(settings, factors) if factors else settings


def _added(given: Mapping[str, Any]) -> TrainSettings:
    """Find the settings that add a style to a model."""
    name, separator, image = given["add_style"].partition("=")
    if not separator or not image:
        raise InputError(f"--add-style takes NAME=IMAGE, got {given['add_style']}")
    if given.get("recipe") is not None or given.get("sweep"):
        raise InputError("--add-style takes the recipe of --base: give no other")
    if given.get("base") is None:
        raise InputError("--add-style needs --base, the folder of a trained model")
    console.import_quietly()
    from nst_tf.loss.choice import with_last_network
    from nst_tf.network.trained import read_card

    card = read_card(model_folder(given["base"]))
    settings = with_style(card, name, Path(image))
    return with_last_network(settings) if "any" in card else settings


def train(job: Job, settings: TrainSettings) -> int:
    """Run `nst train`; return the exit code."""
    if job.base is not None:
        job = dataclasses.replace(job, base=model_folder(job.base))
    if job.ray is None and job.workers is not None:
        raise InputError("--workers is for --ray")
    if job.hosts is None and job.rank is not None:
        raise InputError("--rank is for --hosts")
    if job.hosts is None and job.ray is None:
        return work(job, settings)
    if settings.paintings is not None:
        raise InputError(
            "for any painting one process trains: leave out --hosts, --ray"
        )
    from nst_training.commands.train_together import together

    return together(job, settings, work)


def work(job: Job, settings: TrainSettings, workers: "Workers | None" = None) -> int:
    """Do what `nst train` does, alone or as the worker that writes."""
    folder = job.output or Path(settings.name)
    state, model = folder / "state.npz", folder / "model.keras"
    if job.resume and model.exists() and not state.exists():
        print(
            f"{folder} is complete: there is nothing to resume; --base {folder}, with"
            " another -o, trains it on",
            file=sys.stderr,
        )
        return 0
    written = [model, folder / "model.json", folder / "log.jsonl", state]
    check_places(
        written,
        inputs=_inputs(job, settings),
        # What a stopped run has saved so far is no finished model.
        finished=(folder,) if model.exists() and not state.exists() else (),
        overwrite=job.overwrite,
    )
    if job.base is not None and inside(job.base, folder) and model.exists():
        raise InputError(
            f"the output {folder} is --base itself, which is read until the end: choose"
            " another"
        )
    with held(folder, folder=True):
        return _train(job, settings, folder, workers)


def _inputs(job: Job, settings: TrainSettings) -> list[Path]:
    """Return the files that a training reads, but for the photographs."""
    network = settings.extractor
    named = (job.recipe, network.vgg_weights, network.lite_weights)
    base = [] if job.base is None else [job.base / name for name in _BASE]
    pictures = [style.image for style in settings.styles]
    return [*(Path(path) for path in named if path), *base, *pictures]


def _train(
    job: Job, settings: TrainSettings, folder: Path, workers: "Workers | None"
) -> int:
    """Run `nst train` in a folder that is its own."""
    state = folder / "state.npz"
    resume = resuming(state, wanted=job.resume, quiet=job.quiet)
    settings = console.choose(settings, quiet=job.quiet)
    console.import_quietly()
    # Keras' random seed loads TensorFlow beside JAX too, and so does tfds.
    with console.silence(), contextlib.suppress(ImportError):
        import tensorflow  # noqa: F401
    from nst_training.board import open_board
    from nst_training.data import open_source
    from nst_training.outputs import results
    from nst_training.remarks import memory_remarks, remarks
    from nst_training.train import train as run

    own = results(folder)
    if settings.paintings is not None:
        console.image_files(settings.paintings, quiet=job.quiet, leave=own)
    source = open_source(job.photos, data_dir=job.data_dir, leave=own)
    if source.passed_over and not job.quiet:
        print(f"{PROGRAM}: {job.photos}: {source.passed_over}", file=sys.stderr)
    notes = remarks(dataclasses.replace(settings, styles=_new(job, settings)), source)
    if workers is None:  # Of several each takes a share.
        notes += memory_remarks(settings)
    for note in [] if job.quiet else notes:
        print(f"{PROGRAM}: {note}", file=sys.stderr)
    done = 0
    if resume:
        from nst_tf.running.checkpoint import steps_made

        done = steps_made(state)
    with (
        contextlib.nullcontext(None)
        if not job.tensorboard
        else open_board(folder / "tensorboard", done=done) as board,
        Log(folder / "log.jsonl", keep=done, key="step") as log,
        console.interruptible() as stop,
        console.progress(
            settings.steps, done, fields=("loss", "speed"), quiet=job.quiet
        ) as show,
    ):
        told: set[str] = set()
        last = 0.0

        def observe(now: "TrainStep") -> bool:
            nonlocal last
            while notes:
                log.write({"event": "note", "step": now.step, "why": notes.pop(0)})
            for name in now.broken.keys() - told:
                told.add(name)
                log.write(
                    {"event": "broken", "step": now.step, "why": now.broken[name]}
                )
            due = now.step % job.log_every == 0 or now.step in (1, settings.steps)
            if due:
                log.step(
                    now.loss,
                    now.seconds,
                    step=now.step,
                    rate=now.rate,
                    lowered=now.lowered,
                    broken=len(now.broken),
                    **now.budget,
                )
            if board is not None and (due or now.preview is not None):
                board(now)
            show(now.step, **_texts(now, settings, now.seconds - last))
            last = now.seconds
            return stop.is_set

        trained = run(
            settings,
            source,
            folder,
            observer=observe,
            checkpoint_every=job.checkpoint_every,
            preview_every=job.preview_every,
            base=job.base,
            kept=job.add_style is not None,
            resume=resume,
            in_memory=job.in_memory,
            workers=workers,
        )
        if told and not job.quiet:
            print(
                f"{len(told)} pictures could not be read; they are in"
                f" {folder / 'log.jsonl'}",
                file=sys.stderr,
            )
    if trained.reason == "stopped":
        print(
            f"stopped at step {trained.step}: {folder} holds the model so far; add"
            " --resume to go on",
            file=sys.stderr,
        )
        return INTERRUPTED
    if not job.quiet:
        print(
            f"{folder / 'model.keras'}: {trained.step} steps, loss"
            f" {console.short(trained.loss.total)}"
        )
    return 0


def _new(job: Job, settings: TrainSettings) -> tuple[StyleSettings, ...]:
    """Return the styles whose paintings are read."""
    return settings.styles[-1:] if job.add_style is not None else settings.styles


def _texts(now: "TrainStep", settings: TrainSettings, took: float) -> dict[str, str]:
    """Return what the progress bar says of a step."""
    return {
        "loss": now.loss.text(console.short),
        "speed": f"{settings.batch / took:.2f} images/s" if took > 0 else "",
    }


FLAGS: dict[str, Any] = {
    "command": "train",
    "description": "Train a network that paints photographs in one pass.",
    "settings": TrainSettings(styles=(StyleSettings(name="style", image=Path()),)),
    "base": _base,
}
"""How the flags of `nst train` are read, for `read_flags`."""
main = program(train, Job, **FLAGS)
