"""The command `nst`: a table of commands, each loaded when it is called."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, NoReturn, TextIO

from nst_tf import __version__
from nst_tf.commands import INTERRUPTED, PROGRAM, REFUSED
from nst_tf.commands.program import load
from nst_tf.settings.checks import InputError

_OF_A_NAME = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
"""Errors of names that are merely asked about: whether they are there, and a folder."""


class Command(NamedTuple):
    """A line of the table.

    Attributes:
        target: `module:function`; the function takes the words behind the command's
            name and returns the exit code.
        help: A line for `nst --help`.
        needs: The extra of this package that the command can't work without, if any.
    """

    target: str
    help: str
    needs: str = ""


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "optimize": Command(
            "nst_tf.commands.optimize:main",
            "paint a photograph in the manner of a painting",
            "tf",
        ),
        "explore": Command(
            "nst_tf.commands.explore:main",
            "paint small pictures at many settings",
            "tf",
        ),
        "features": Command(
            "nst_tf.commands.features:main",
            "show what a layer of the network sees",
            "tf",
        ),
        "fetch-weights": Command(
            "nst_tf.commands.fetch_weights:main",
            "download the weights of VGG-19 or VGG-16",
            "tf",
        ),
        "train": Command(
            "nst_training.commands.train:main",
            "train a network that paints in an instant",
            "tf",
        ),
        "evaluate": Command(
            "nst_training.commands.evaluate:main",
            "score a trained network on photographs",
            "tf",
        ),
        "compress": Command(
            "nst_training.commands.compress:main",
            "make a small loss network from a VGG weight file",
            "tf",
        ),
        "export": Command(
            "nst_export.commands.export:main",
            "write a trained network as files for apps",
        ),
        "stylize": Command(
            "nst_export.commands.stylize:main",
            "paint photographs with an exported model",
        ),
        "video": Command(
            "nst_export.commands.video:main",
            "paint a film, and keep its sound",
            "video",
        ),
        "styles": Command(
            "nst_export.commands.styles:main", "list the styles of an exported model"
        ),
        "serve": Command(
            "nst_export.commands.serve:main", "serve exported models over HTTP", "serve"
        ),
    }
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Returns:
        0 when all is done, 2 for bad input or a loss that is not finite, 75 when a
        worker of a training is gone, 130 when interrupted (what was there is saved, and
        `--resume` goes on).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_closed()
    _print_anything()
    try:
        try:
            return _dispatch(arguments)
        finally:
            sys.stdout.flush()
    except InputError as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # The reader of the output, such as head, has left.
        _discard(sys.stdout)
        return 0
    except OSError as error:
        if error.errno in _OF_A_NAME and error.filename is not None:
            told = f"can't look at {error.filename}: {error.strerror}"
            print(f"{PROGRAM}: error: {told}", file=sys.stderr)
            return REFUSED
        # Files are written with errors of their own: this is what was printed.
        if error.errno not in (errno.ENOSPC, errno.EIO) or error.filename is not None:
            raise
        _discard(sys.stdout)
        with contextlib.suppress(OSError):
            print(f"{PROGRAM}: error: can't print: {error.strerror}", file=sys.stderr)
            sys.stderr.flush()
            return REFUSED
        _discard(sys.stderr)
        return REFUSED


def _discard(stream: TextIO) -> None:
    """Let what a stream still holds, and gets, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_closed() -> None:
    """Give a process that was started without a standard stream one to nowhere.

    Else the next file that is opened would have its number, and get what libraries
    print.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _print_anything() -> None:
    """Let names of files be printed whatever a terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _dispatch(arguments: list[str]) -> int:
    name, *rest = arguments or [""]
    if name not in COMMANDS:
        if name and not name.startswith("-"):
            _refuse(name)
        return _explain(arguments)
    command = COMMANDS[name]
    if command.needs and not {"-h", "--help"} & set(rest):
        from nst_tf.commands.needs import check_extra

        check_extra(command.needs, command=name)
    code: int = load(command.target)(rest)
    return code


def _refuse(name: str) -> NoReturn:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.7)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
    raise InputError(f"there is no command {name}; {hint}")


def _explain(arguments: list[str]) -> int:
    """Show the version or the commands, or ask for one."""
    import argparse

    width = max(map(len, COMMANDS))
    table = "\n".join(f"  {k:{width}}  {v.help}" for k, v in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Neural style transfer on TensorFlow and Keras 3.",
        epilog=f"commands:\n{table}\n\n'{PROGRAM} COMMAND --help' lists its flags.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = f"%(prog)s {__version__}"
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument("command", metavar="COMMAND", help="one of those below")
    parser.parse_args(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
