"""A run as TensorBoard shows it: curves and previews."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nst_tf.settings.checks import InputError

if TYPE_CHECKING:
    from nst_training.events import TrainStep

Show = Callable[["TrainStep"], None]


@contextlib.contextmanager
def open_board(folder: Path, *, done: int = 0) -> Iterator[Show]:
    """Yield the function that writes a step's loss, rate and preview.

    Args:
        folder: For the event files; `tensorboard --logdir FOLDER` shows them.
        done: Steps that a resumed run keeps; what was written of later ones is void.

    Raises:
        InputError: The package is not installed, or the folder not writable.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise InputError(
            "--tensorboard needs the package tensorboardX: pip install"
            " 'nst-tf[tensorboard]'"
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't make {folder}: {error}") from error
    # A writer of its own thread: lines appear within ten seconds.
    writer = SummaryWriter(str(folder), purge_step=done + 1, flush_secs=10)

    def show(now: "TrainStep") -> None:
        for name, value in now.loss.flat().items():
            writer.add_scalar(f"loss/{name}", value, now.step)
        writer.add_scalar("learning_rate", now.rate, now.step)
        if now.preview is not None:
            writer.add_image("preview", now.preview, now.step, dataformats="HWC")

    try:
        yield show
    finally:
        writer.close()
