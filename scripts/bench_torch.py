"""The notebook's recipe in PyTorch float32, for comparison: prints one JSON line.

Run by bench_optimize.py with an interpreter that has torch, h5py, numpy and pillow.
"""

import argparse
import json
import time

import h5py
import numpy as np
import torch
from PIL import Image

MEAN = np.array([103.939, 116.779, 123.68], "float32")
BLOCKS = (2, 2, 4, 4, 1)
STYLE = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
CONTENT = "block4_conv2"


def load(path: str, short: int) -> torch.Tensor:
    """Read, resize the short side, and convert to caffe units, `[1, 3, H, W]`."""
    image = Image.open(path).convert("RGB")
    ratio = short / min(image.size)
    size = tuple(round(side * ratio) for side in image.size)
    pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR), "float32")
    caffe = (pixels[..., ::-1] - MEAN).transpose(2, 0, 1)
    return torch.from_numpy(caffe[None].copy())


def read(path: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Read a legacy Keras weight file into PyTorch's layout."""
    weights = {}
    with h5py.File(path) as file:
        for block, count in enumerate(BLOCKS, 1):
            for conv in range(1, count + 1):
                group = file[f"block{block}_conv{conv}"]
                kernel, bias = (
                    np.asarray(group[k]) for k in group.attrs["weight_names"]
                )
                kernel = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
                weights[f"block{block}_conv{conv}"] = kernel, torch.from_numpy(bias)
    return weights


def extract(x: torch.Tensor, weights: dict) -> dict[str, torch.Tensor]:
    """Return the features after every ReLU."""
    features = {}
    for name, (kernel, bias) in weights.items():
        if name.endswith("conv1") and name != "block1_conv1":
            x = torch.nn.functional.max_pool2d(x, 2)
        x = torch.relu(torch.nn.functional.conv2d(x, kernel, bias, padding=1))
        features[name] = x
    return features


def gram(features: torch.Tensor) -> torch.Tensor:
    """Return `[B, C, C]` divided by the positions."""
    batch, channels, height, width = features.shape
    flat = features.reshape(batch, channels, height * width)
    return torch.bmm(flat, flat.transpose(1, 2)) / (height * width)


def main() -> None:
    """Optimise until the target loss or the time limit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("content")
    parser.add_argument("style")
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--loss", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    start = time.monotonic()
    weights = read(given.weights)
    content, style = load(given.content, given.size), load(given.style, given.size)
    with torch.no_grad():
        target = extract(content, weights)[CONTENT]
        painted = extract(style, weights)
        grams = {name: gram(painted[name]) for name in STYLE}
    image = content.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([image], max_iter=1)
    state = {"evaluations": 0, "loss": float("inf")}

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        features = extract(image, weights)
        loss = ((features[CONTENT] - target) ** 2).mean()
        for name in STYLE:
            channels = features[name].shape[1]
            gap = ((gram(features[name]) - grams[name]) ** 2).mean()
            loss = loss + 1e3 / channels**2 * gap
        loss.backward()
        state["evaluations"] += 1
        state["loss"] = float(loss.detach())
        return loss

    while state["loss"] > given.loss and time.monotonic() - start < given.seconds:
        optimizer.step(closure)
    state["seconds"] = time.monotonic() - start
    state["reached"] = state["loss"] <= given.loss
    print(json.dumps(state))


if __name__ == "__main__":
    main()
