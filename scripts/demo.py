"""The demo: the main jobs, on a drawn scene or on photographs, without a download.

The gallery paints them in one pass, and the model for any painting the first of them
like a drawn piece of brushwork, or like the second file; it is optimised like that
piece; and the network for any painting is trained on to that, exported, and paints from
the file.
"""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nst_export.commands import export, stylize
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_export.settings import ExportSettings
from nst_tf import InputError, OptimizeSettings, load_image, save_image
from nst_tf.commands import console
from nst_tf.commands.optimize import Job
from nst_tf.commands.optimize_run import optimize
from nst_tf.imaging.brushwork import brushwork
from nst_tf.imaging.contact_sheet import arrange, on_square
from nst_tf.imaging.resize import reduce
from nst_tf.imaging.scene import landscape, noise
from nst_training.commands import train
from nst_training.settings import style_name

OUT = Path("out")
STEPS = 80
"""Of the training: enough to see what it adds to the picture made at once."""
SETTINGS = OptimizeSettings(size=320, steps=120, coarse_steps=100)
SIDE, CELL, COLUMNS = 768, 256, 7
"""Long side in pixels of what the gallery paints, that of a cell of its sheet, and
cells in a row."""


def gallery(photos: list[Path]) -> None:
    """Paint every photograph in every style that ships; one contact sheet."""
    try:
        stylizer = Stylizer.load(bundled())
    except InputError as error:
        print(f"Left out the gallery: {error}", file=sys.stderr)
        return
    cells: list[np.ndarray] = []
    seconds = 0.0
    for path in photos:
        photo = reduce(load_image(path).pixels, SIDE)
        cells.append(photo)
        for name in stylizer.styles:
            weights = mix_weights(stylizer.styles, {name: 1.0})
            start = time.perf_counter()
            with console.silence():
                cells.append(stylizer(photo, weights))
            seconds += time.perf_counter() - start
        cells += [np.ones_like(photo)] * (-len(cells) % COLUMNS)
    sheet = OUT / "gallery.png"
    squares = [on_square(picture, CELL, margin=4) for picture in cells]
    save_image(sheet, arrange(squares, columns=COLUMNS))
    pictures = len(photos) * len(stylizer.styles)
    print(
        f"{sheet}: {', '.join(stylizer.styles)}; {pictures} pictures in"
        f" {seconds:.1f} s, {seconds / pictures:.2f} s each"
    )


def at_once(content: Path, style: Path) -> int:
    """Paint in the manner of a painting that no one trained on; return the code."""
    output = OUT / f"{content.stem}-{style.stem}-at-once.png"
    output.unlink(missing_ok=True)
    return stylize.stylize(
        stylize.Job(photos=(str(content),), painting=style, output=str(output))
    )


def scenes(count: int = 12) -> list[np.ndarray]:
    """Draw scenes to train on: the landscape in other lights, and coloured clouds."""
    drawn = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        if seed % 3:
            gain = rng.uniform(0.6, 1.2, 3) * rng.uniform(0.8, 1.1)
            picture = landscape(240, 320) ** rng.uniform(0.6, 1.6) * gain
            picture = picture[:, :: int(rng.choice([-1, 1]))]
        else:
            planes = [noise(240, 320, 100 * seed + k) for k in range(3)]
            picture = 0.5 + 0.6 * np.stack(planes, -1)
        drawn.append(np.clip(picture, 0, 1).astype("float32"))
    return drawn


def optimized(content: Path, style: Path) -> int:
    """Optimise a picture; return the exit code."""
    output = OUT / f"{content.stem}-{style.stem}.png"
    job = Job(content=content, style=style, output=output)
    job.checkpoint_path.unlink(missing_ok=True)
    return optimize(job, SETTINGS)


def trained(content: Path, style: Path, photos: list[Path]) -> int:
    """Tune the network for any painting, export it, paint; return the exit code."""
    folder, model, files = OUT / "photographs", OUT / "model", OUT / "files"
    for old in (folder, model, files):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir()
    for index, picture in enumerate(scenes()):
        save_image(folder / f"scene{index:02}.png", picture)
    for path in photos:
        shutil.copy(path, folder / path.name)
    name = style_name(style.stem)
    words = ["--add-style", f"{name}={style}", "--base", "any", "--photos", str(folder)]
    words += ["--steps", str(STEPS), "--size", "192", "--preview-every", "0"]
    if code := train.main([*words, "--output", str(model)]):
        return code
    chosen = ExportSettings(formats=("litert",))
    if code := export.export(
        export.Job(model=model, output=files, photos=folder), chosen
    ):
        return code
    return stylize.stylize(
        stylize.Job(
            photos=(str(content),),
            output=str(OUT / f"{content.stem}-{name}-one-pass.png"),
            model=files / f"{name}.tflite",
            style=name,
        )
    )


def step(text: str, work: Callable[[], int | None]) -> int:
    """Say what is done, do it, say what it took; return the exit code."""
    print(f"\n{text}", flush=True)
    start = time.perf_counter()
    code = work() or 0
    print(f"({time.perf_counter() - start:.0f} s)", flush=True)
    return code


def run(arguments: list[str]) -> int:
    """Do the jobs with the given files, or with the drawn scene."""
    OUT.mkdir(exist_ok=True)
    files = [Path(name) for name in arguments]
    content, style = OUT / "scene.png", OUT / "brushwork.png"
    if len(files) < 2:
        save_image(style, brushwork())
    if not files:
        save_image(content, landscape())
        print(f"Drew {content} and {style}.")
    photos = files or [content]
    content, style = (*files, content)[0], (*files[1:], style)[0]
    return (
        step("1. One pass each in the styles that ship", lambda: gallery(photos))
        or step(
            f"2. {content.name} in one pass in the manner of {style.name}",
            lambda: at_once(content, style),
        )
        or step(
            f"3. {content.name} optimised in the manner of {style.name}",
            lambda: optimized(content, style),
        )
        or step(
            f"4. {style.name} as a style of its own: {STEPS} steps of training, export,"
            " one pass with the file",
            lambda: trained(content, style, files),
        )
    )


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:]))
    except InputError as error:
        print(f"demo: error: {error}", file=sys.stderr)
        sys.exit(2)
