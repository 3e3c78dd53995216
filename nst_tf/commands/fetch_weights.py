"""`nst fetch-weights`: the ImageNet weights of a VGG, into Keras' cache."""

import contextlib
import dataclasses
import io
import sys

from nst_tf.commands.console import import_quietly
from nst_tf.commands.flags import read_flags
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, Vgg


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What `nst fetch-weights` downloads."""

    network: Vgg = "vgg19"
    """Whose weights: 80 MB for VGG-19, 59 MB for VGG-16."""
    quiet: bool = False
    """Print nothing."""


def main(arguments: list[str]) -> int:
    """Run `nst fetch-weights`; return the exit code."""
    job = read_flags(
        Job,
        arguments,
        command="fetch-weights",
        description="Download the loss network that settings of network vgg19 use.",
    )
    from nst_tf.loss.choice import find_weights, variable_of

    settings = ExtractorSettings(network=job.network)
    found = find_weights(settings)
    if found is None:
        import_quietly()
        from nst_tf.loss.weights import fetch_weights

        told = io.StringIO() if job.quiet else sys.stderr
        with contextlib.redirect_stderr(told):
            fetch_weights(job.network)
        found = find_weights(settings)
    elif not found.is_file():
        raise InputError(
            f"{variable_of(job.network)} names {found}, and there is no such file:"
            " unset it to download the weights, or name another"
        )
    if not job.quiet:
        print(found)
    return 0
