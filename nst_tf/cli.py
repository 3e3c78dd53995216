"""The command `nst`: flags from the settings, progress, files."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nst_tf import __version__
from nst_tf.commands.console import (
    INTERRUPTED,
    PROGRAM,
)
from nst_tf.settings.checks import InputError

if TYPE_CHECKING:
    pass
from nst_tf.commands.optimize import optimize, parse


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Returns:
        0 when all is done, 2 for bad input or a loss that is not finite, 130 when
        interrupted (what was there is saved, and `--resume` goes on).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except InputError as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # The reader of the output, such as head, has left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(arguments: list[str]) -> int:
    if arguments and arguments[0] == "optimize":
        return optimize(*parse(arguments[1:]))
    if arguments and arguments[0] == "train":
        from nst_training.commands import train as cli_train

        return cli_train.train(*cli_train.parse(arguments[1:]))
    if arguments and arguments[0] == "evaluate":
        from nst_training.commands import evaluate as cli_evaluate

        return cli_evaluate.evaluate(cli_evaluate.parse(arguments[1:]))
    if arguments and arguments[0] == "export":
        from nst_export.commands import export as cli_export

        return cli_export.export(*cli_export.parse(arguments[1:]))
    if arguments and arguments[0] == "serve":
        from nst_export.commands import serve as cli_serve

        return cli_serve.serve(*cli_serve.parse(arguments[1:]))
    if arguments and arguments[0] in ("stylize", "styles"):
        from nst_export.commands import stylize as cli_stylize

        if arguments[0] == "styles":
            return cli_stylize.styles(arguments[1:])
        return cli_stylize.stylize(cli_stylize.parse(arguments[1:]))
    if arguments and arguments[0] == "explore":
        from nst_tf.commands import explore as cli_explore

        return cli_explore.explore(cli_explore.parse(arguments[1:]))
    if arguments and arguments[0] == "features":
        from nst_tf.commands import features as cli_features

        return cli_features.features(*cli_features.parse(arguments[1:]))
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Neural style transfer on TensorFlow and Keras 3.",
        epilog=f"'{PROGRAM} COMMAND --help' lists a command's flags.",
    )
    version = f"%(prog)s {__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser(
        "optimize", help="paint a photograph in the manner of a painting"
    )
    commands.add_parser("explore", help="paint small pictures at many settings")
    commands.add_parser("features", help="show what a layer of the network sees")
    commands.add_parser("train", help="train a network that paints in an instant")
    commands.add_parser("evaluate", help="score a trained network on photographs")
    commands.add_parser("export", help="write a trained network as files for apps")
    commands.add_parser("stylize", help="paint photographs with an exported model")
    commands.add_parser("styles", help="list the styles of an exported model")
    commands.add_parser("serve", help="serve exported models over HTTP")
    parser.parse_args(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
