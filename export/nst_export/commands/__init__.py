"""The programs of this package: one module a command."""
