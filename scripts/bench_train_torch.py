"""The training step in PyTorch, for comparison: a step a line on standard input.

Run by bench_train.py with an interpreter that has torch, h5py and numpy. Network and
loss are those of nst-tf: Johnson's layers at width 1, VGG-19, the same layers of it.
"""

import sys

import torch
from bench_torch import MEAN, extract, gram, read
from torch import nn


class Block(nn.Module):
    """Reflection padding, convolution, instance normalisation."""

    def __init__(self, inside: int, outside: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(size // 2),
            nn.Conv2d(inside, outside, size, stride, bias=False),
            nn.InstanceNorm2d(outside, affine=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layers."""
        return self.layers(x)


class Residual(nn.Module):
    """Two blocks and the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Block(width, width, 3), Block(width, width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply both and add."""
        return x + self.second(torch.relu(self.first(x)))


def network() -> nn.Module:
    """Return Johnson's network."""
    up = nn.Upsample(scale_factor=2, mode="nearest")
    return nn.Sequential(
        *(Block(3, 32, 9), nn.ReLU(), Block(32, 64, 3, 2), nn.ReLU()),
        *(Block(64, 128, 3, 2), nn.ReLU()),
        *(Residual(128) for _ in range(5)),
        *(up, Block(128, 64, 3), nn.ReLU(), up, Block(64, 32, 3), nn.ReLU()),
        *(Block(32, 3, 9), nn.Sigmoid()),
    )


def main() -> None:
    """Make a step for every line read and print its loss."""
    path, precision, batch, size, threads, content, *styles = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    weights = read(path)
    names = list(weights)
    last = max(names.index(name) for name in (content, *styles))
    weights = {name: weights[name] for name in names[: last + 1]}
    mean = torch.tensor(MEAN[None, :, None, None].copy())
    photo = torch.rand(int(batch), 3, int(size), int(size))
    painting = torch.rand(1, 3, int(size), int(size))
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def features(x: torch.Tensor) -> dict[str, torch.Tensor]:
        return extract(255 * x.flip(1) - mean, weights)

    def grams(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        with torch.autocast("cpu", enabled=False):
            return {name: gram(found[name].float()) for name in styles}

    half = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    with torch.no_grad(), half:
        style = grams(features(painting))
    for _ in sys.stdin:
        optimizer.zero_grad()
        with half:
            with torch.no_grad():
                target = features(photo)[content].float()
            found = features(model(photo))
            loss = ((found[content].float() - target) ** 2).mean()
            for name, value in grams(found).items():
                channels = value.shape[-1]
                gap = ((value - style[name]) ** 2).mean()
                loss = loss + 100 / channels**2 * gap
        loss.backward()
        optimizer.step()
        print(float(loss.detach()), flush=True)


if __name__ == "__main__":
    main()
