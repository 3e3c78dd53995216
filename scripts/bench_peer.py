"""A program in PyTorch beside ours, for the benchmarks."""

import subprocess
from pathlib import Path


def has_torch(python: str) -> bool:
    """Tell whether an interpreter has PyTorch."""
    found = subprocess.run([python, "-c", "import torch"], capture_output=True)
    return found.returncode == 0


class Peer:
    """A program in a process of its own, one turn a call.

    Args:
        python: An interpreter with PyTorch.
        script: Makes a turn for every line that it reads, and answers with a line.
        *words: Its arguments.
    """

    def __init__(self, python: str, script: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [python, str(script), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self) -> str:
        """Ask for one turn and wait for its answer."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()
