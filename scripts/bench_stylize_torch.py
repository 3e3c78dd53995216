"""The network in PyTorch, for comparison: a pass a line on standard input."""

import sys

import torch
from bench_train_torch import network


def main() -> None:
    """Make a pass for every line read."""
    precision, size = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(2)
    model = network().eval().to(memory_format=torch.channels_last)
    photo = torch.rand(1, 3, size, size).to(memory_format=torch.channels_last)
    half = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    for _ in sys.stdin:
        with torch.inference_mode(), half:
            model(photo)
        print("done", flush=True)


if __name__ == "__main__":
    main()
