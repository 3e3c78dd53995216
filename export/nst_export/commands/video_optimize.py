"""`nst video --optimize`: its settings, paintings and masks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nst_tf.commands import console
from nst_tf.commands.needs import check_extra
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import from_dict, to_dict
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.recipes import RECIPES

if TYPE_CHECKING:
    from nst_export.commands.video import Job
    from nst_tf.video.film import Film
    from nst_tf.video.run import Painter


def optimizing(job: "Job", film: "Film") -> "tuple[Painter, Mapping[str, Any]]":
    """Return what paints the frames by optimisation, and what decides how.

    Raises:
        InputError: Settings, paintings or masks can't be used.
    """
    from nst_tf.imaging.guides import from_masks
    from nst_tf.imaging.read import load_image

    check_extra("tf", command="video --optimize")
    settings = console.choose(_settings(job), quiet=job.quiet)
    paintings = [load_image(path).pixels for path in job.optimize]
    regions = None
    if job.masks:
        masks = [load_image(path).pixels for path in job.masks]
        sizes = [(x.shape[1], x.shape[0]) for x in paintings]
        size = (film.width, film.height)
        regions = from_masks(size, sizes, masks, [], settings.style_shares)
    console.import_quietly()
    from nst_tf.video.optimized import OptimizedPainter

    painter = OptimizedPainter(
        paintings, settings, regions=regions, steps=job.frame_steps
    )
    files = [console.fingerprint(path) for path in (*job.optimize, *job.masks)]
    facts = {"settings": to_dict(settings), "files": files}
    return painter, {**facts, "frame_steps": job.frame_steps}


def _settings(job: "Job") -> OptimizeSettings:
    """Return the settings of a picture or a recipe."""
    if job.like is not None:
        from nst_tf.imaging.metadata import read_settings

        values = read_settings(job.like)
        if "settings" not in values:
            raise InputError(f"{job.like} carries no settings of nst-tf")
        return from_dict(values["settings"])
    if job.recipe not in RECIPES:
        known = ", ".join(RECIPES)
        raise InputError(f"there is no recipe {job.recipe}; there are {known}")
    return RECIPES[job.recipe]
