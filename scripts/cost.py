"""What painting and training cost: from measured figures and named assumptions.

    .venv/bin/python scripts/cost.py [--core-price 0.05] [--gpu-tflops 990] ... > table

Prints the table of docs/scale.md. Every assumption is a flag (--help says what each is
and where its default comes from).
"""

import dataclasses

import tyro


@dataclasses.dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Figures that the model stands on."""

    core_seconds: float = 0.28
    """Measured: seconds of one core for a picture of 512x384, from file to file
    (scripts/bench bulk, 2026-11-28, AMD Zen 4, LiteRT, the bundled gallery)."""
    codec_seconds: float = 0.007
    """Measured: the part of it that reads and writes the files (same run)."""
    in_bytes: float = 95e3
    """Measured: a JPEG of 512x384 (the drawn scene of scripts/bench bulk)."""
    out_bytes: float = 80e3
    """Measured: its picture at quality 95."""
    core_training_rate: float = 1.9
    """Measured: photographs a second and core in training (width 1, 256x256; 3.75 on
    two cores, docs/benchmarks.md)."""
    bulk_efficiency: float = 0.87
    """Wanted of the workers of a cluster: 15 % overhead over one machine's own run."""
    gpu_tflops: float = 312.0
    """Not measured: an A100's dense bfloat16, by its data sheet (an H100 SXM: 990)."""
    gpu_use: float = 0.25
    """Not measured: the share of that which small convolutions reach."""
    cores_a_gpu: int = 16
    """Assumed: processor cores beside a GPU, which read and write its files."""
    paint_gflops: float = 14.0
    """Computed: a pass of width 0.5 at 512x384 (`network_gflops`)."""
    train_gflops: float = 192.0
    """Computed: a training photograph, width 1, 256x256 (`step_gflops`)."""
    photographs: float = 160e3
    """Assumed: a training, two epochs of COCO as in Johnson et al. (2016), with any
    number of GPUs: whether larger batches learn as much is not modelled."""
    batch: int = 16
    """Assumed: photographs a GPU and step."""
    gradient_bytes: float = 6.7e6
    """Computed: float32 of the 1.67 million weights of width 1."""
    link_bytes: float = 100e9
    """Assumed: bytes a second and GPU inside a host of 8 (NVLink, half of 200 GB/s)."""
    network_bytes: float = 2.5e9
    """Assumed: bytes a second between hosts (25 Gbit/s, four fifths used)."""
    step_latency: float = 0.002
    """Assumed: seconds a step that all-reduce waits besides, between any two GPUs."""
    core_price: float = 0.05
    """Assumed on 2026-11-28: USD an hour for a core, the order of public clouds' list
    prices on demand; no quote."""
    gpu_price: float = 4.0
    """Assumed on 2026-11-28: USD an hour for a GPU of that kind, with its cores."""
    read_price: float = 0.4e-6
    """Assumed on 2026-11-28: USD to read an object from object storage."""
    write_price: float = 5e-6
    """Assumed on 2026-11-28: USD to write one."""
    month_price: float = 0.023
    """Assumed on 2026-11-28: USD to keep a GB for a month."""


def network_gflops(width: float, height: int, breadth: int) -> float:
    """Return 1e9 operations of a pass of the transform network (Johnson et al.).

    Two a multiplication; convolutions alone: 9x9 in and out, two strides of 2 down and
    up, five residual blocks at a quarter.
    """
    a, b, c = (int(width * channels) for channels in (32, 64, 128))
    whole, half, quarter = (height * breadth / 4**level for level in range(3))
    products = 2 * 81 * 3 * a * whole  # In and out.
    products += 2 * 9 * a * b * half + 2 * 9 * b * c * quarter  # Down and up.
    products += 10 * 9 * c * c * quarter
    return 2 * products / 1e9


def step_gflops(width: float, side: int) -> float:
    """Return 1e9 operations of a training step for one photograph.

    The network forward and back (three passes' worth), VGG-19 to block5_conv1 for the
    photograph (one) and for the painting forward and back to its pixels (two).
    """
    channels, before, products = (
        ((64, 2), (128, 2), (256, 4), (512, 4), (512, 1)),
        3,
        0.0,
    )
    for level, (count, convolutions) in enumerate(channels):
        for _ in range(convolutions):
            products += 9 * before * count * (side / 2**level) ** 2
            before = count
    return 3 * network_gflops(width, side, side) + 3 * 2 * products / 1e9


def gpu_rate(a: Assumptions) -> float:
    """Return pictures a second of a GPU and its cores, whichever is slower."""
    computed = a.gpu_tflops * 1e3 * a.gpu_use / a.paint_gflops
    return min(computed, a.cores_a_gpu / a.codec_seconds)


def efficiency(a: Assumptions, gpus: int) -> float:
    """Return the share of a step that is not spent on adding up gradients (a ring)."""
    if gpus == 1:
        return 1.0
    step = a.batch * a.train_gflops / (a.gpu_tflops * 1e3 * a.gpu_use)
    speed = a.link_bytes if gpus <= 8 else a.network_bytes
    return step / (step + 2 * a.gradient_bytes / speed + a.step_latency)


def painting(a: Assumptions) -> list[str]:
    """Return the lines of the table of painting."""
    rates = 1 / a.core_seconds, gpu_rate(a)
    prices = a.core_price, a.gpu_price
    both = a.in_bytes + a.out_bytes
    lines = [
        _row("painting 512x384", "one core", "one GPU with its cores"),
        "|---|---|---|",
        _row("pictures a second", *map(_short, rates)),
        _row("network, MB/s in and out", *(_short(x * both / 1e6) for x in rates)),
    ]
    for name, count in (("1 M pictures", 1e6), ("1 G pictures", 1e9)):
        hours = [count / rate / a.bulk_efficiency / 3600 for rate in rates]
        costs = [hour * price for hour, price in zip(hours, prices, strict=True)]
        requests = count * (a.read_price + a.write_price)
        kept = count * a.out_bytes / 1e9 * a.month_price
        lines += [
            _row(f"{name}, hours of one", *map(_short, hours)),
            _row(f"{name}, USD to compute", *map(_short, costs)),
            _row(f"{name}, USD for requests to storage", *[_short(requests)] * 2),
            _row(f"{name}, USD to keep them a month", *[_short(kept)] * 2),
        ]
    return lines


def training(a: Assumptions) -> list[str]:
    """Return the lines of the table of training."""
    one = a.gpu_tflops * 1e3 * a.gpu_use / a.train_gflops
    runs = [("2 cores", 2 * a.core_training_rate, 2 * a.core_price, "")]
    for count in (1, 8, 64):
        part = efficiency(a, count)
        name = f"{count} GPU{'s' if count > 1 else ''}"
        runs.append((name, one * count * part, count * a.gpu_price, f"{part:.2f}"))
    lines = [
        _row("training", "photographs a second", "efficiency", "minutes", "USD"),
        "|---|---|---|---|---|",
    ]
    for name, rate, price, part in runs:
        hours = a.photographs / rate / 3600
        cells = _short(rate), part, _short(60 * hours), _short(hours * price)
        lines.append(_row(name, *cells))
    return lines


def table(a: Assumptions) -> str:
    """Return what docs/scale.md shows."""
    return "\n".join([*painting(a), "", *training(a)])


def _short(value: float) -> str:
    """Write a number in two digits, or without decimals."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(table(tyro.cli(Assumptions, description=__doc__.splitlines()[0])))
