"""The programs of this package: one module a command."""

PROGRAM = "nst"
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""
