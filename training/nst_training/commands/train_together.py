"""`nst train` as one of several workers: `--hosts`, and what Ray starts."""

import dataclasses
import functools
import importlib.metadata
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nst_tf import __version__
from nst_tf.commands import INTERRUPTED, console
from nst_tf.files import sha256
from nst_tf.machine import keras_backend
from nst_tf.places import left_empty
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import to_plain
from nst_training.settings import TrainSettings
from nst_training.workers.place import Place, place_of
from nst_training.workers.share import Share
from nst_training.workers.supervisor import supervised

if TYPE_CHECKING:
    from nst_training.commands.train import Job
    from nst_training.data import Source

_RAY_WAIT = 60.0
"""Seconds in which workers that Ray has started must have come."""


Work = Callable[..., int]
"""`nst train` in one process: of a job, settings and `Workers`."""


def together(job: "Job", settings: TrainSettings, work: Work) -> int:
    """Run `nst train --hosts` or `--ray`; return the exit code.

    Args:
        job: What is read, written and shown.
        settings: Of the training.
        work: What the first worker does, which writes.

    Raises:
        InputError: Keras runs on another backend, or what is given does not fit.
    """
    flag = "--hosts" if job.ray is None else "--ray"
    if keras_backend() != "jax":
        raise InputError(
            f"{flag} needs Keras on JAX, not on {keras_backend()}: set"
            " KERAS_BACKEND=jax"
        )
    if (address := job.ray) is None:
        place = place_of(job.hosts or "", job.rank)
        _check_batch(settings.batch, place.share.count)
        return _take_part(job, settings, work, place, job.resume)
    if job.hosts is not None:
        raise InputError("give --hosts or --ray: Ray finds the hosts itself")
    count = job.workers or 0
    if count < 1:
        raise InputError("--ray needs --workers, at least 1")
    _check_batch(settings.batch, count)
    from nst_training.workers.on_ray import train_on_ray

    job, settings = _absolute(job, settings)
    return train_on_ray(
        address,
        count,
        _folder(job, settings),
        functools.partial(_take_part, job, settings, work),
        resume=job.resume,
        quiet=job.quiet,
    )


def _check_batch(batch: int, count: int) -> None:
    """Refuse a batch that can't be parted."""
    if batch % count:
        raise InputError(
            f"batch must be a multiple of the {count} workers it is spread over, got"
            f" {batch}"
        )


def _absolute(job: "Job", settings: TrainSettings) -> tuple["Job", TrainSettings]:
    """Return what another working directory leaves the same."""
    photos = job.photos
    if "://" not in photos and not photos.startswith("tfds:"):
        photos = str(Path(photos).absolute())
    extractor = dataclasses.replace(
        settings.extractor,
        vgg_weights=_full(settings.extractor.vgg_weights),
        lite_weights=_full(settings.extractor.lite_weights),
    )
    styles = tuple(
        dataclasses.replace(style, image=style.image.absolute())
        for style in settings.styles
    )
    moved = dataclasses.replace(
        job,
        photos=photos,
        recipe=_full(job.recipe),
        output=_folder(job, settings).absolute(),
        base=_full(job.base),
        data_dir=_full(job.data_dir),
        wait=max(job.wait, _RAY_WAIT),
    )
    return moved, dataclasses.replace(settings, styles=styles, extractor=extractor)


def _full(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _folder(job: "Job", settings: TrainSettings) -> Path:
    return job.output or Path(settings.name)


def _take_part(
    job: "Job", settings: TrainSettings, work: Work, place: Place, resume: bool
) -> int:
    """Train as one of the workers; return the exit code."""
    quiet = job.quiet or place.share.rank > 0
    job = dataclasses.replace(job, resume=resume, quiet=quiet)
    settings = console.choose(settings, quiet=quiet)
    with left_empty(_folder(job, settings)):
        return supervised(
            place, job.wait, lambda: _facts(job, settings), _work, (job, settings, work)
        )


def _facts(job: "Job", settings: TrainSettings) -> Mapping[str, Any]:
    """Return what all workers must share: programs, settings and files."""
    from nst_tf.running.identity import extractor_facts
    from nst_training.data import hash_names

    plain = to_plain(settings)
    for style in plain["styles"]:
        image = Path(style["image"])  # Of styles that a base brings, there is none.
        style["image"] = sha256(image) if image.is_file() else None
    plain["extractor"] = extractor_facts(settings.extractor)
    state = _folder(job, settings) / "state.npz"
    resumes = job.resume and state.exists()
    return {
        "version": __version__,
        "jax": importlib.metadata.version("jax"),
        "keras": importlib.metadata.version("keras"),
        **plain,
        "base": sha256(job.base / "model.keras") if job.base is not None else None,
        "kept": job.add_style is not None,
        "photographs": hash_names(_source(job, settings).names),
        "in_memory": job.in_memory,
        "resume": job.resume,
        "state (is the output a folder that all share?)": sha256(state)
        if resumes
        else None,
    }


def _source(job: "Job", settings: TrainSettings) -> "Source":
    from nst_training.data import open_source
    from nst_training.outputs import results

    own = results(_folder(job, settings))
    return open_source(job.photos, data_dir=job.data_dir, leave=own)


def _work(
    job: "Job", settings: TrainSettings, work: Work, share: Share, coordinator: str
) -> int:
    """Train in this process, which JAX joins with the others'."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with console.silence(1, 2):
        import keras

        from nst_training.workers.group import join, leave

        workers = join(share, coordinator)
        workers.any(False)  # Whoever connects processors says so.
        keras.utils.set_random_seed(settings.seed)  # Loads TensorFlow if it is there.
    if workers.first:
        code = work(job, settings, workers)
    else:
        from nst_training.train import train

        folder = _folder(job, settings)
        with console.interruptible() as stop:
            trained = train(
                settings,
                _source(job, settings),
                folder,
                observer=lambda _: stop.is_set,
                checkpoint_every=job.checkpoint_every,
                base=job.base,
                kept=job.add_style is not None,
                resume=job.resume and (folder / "state.npz").exists(),
                in_memory=job.in_memory,
                workers=workers,
            )
        code = INTERRUPTED if trained.reason == "stopped" else 0
    leave()
    return code
