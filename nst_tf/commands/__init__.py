"""The programs of this package: one module a command."""

PROGRAM = "nst"
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""
REFUSED = 2
"""Exit code after bad input, or a loss that is not finite."""
LOST = 75
"""Exit code of a training that lost a worker: --resume goes on (EX_TEMPFAIL)."""
