"""Words that need no parser mean what tyro says they mean."""

import dataclasses
import random
import subprocess
import sys

import pytest

from nst_export.commands.styles import Job as Listing
from nst_export.commands.stylize import Job
from nst_export.commands.stylize_flags import Flags
from nst_tf.commands.flags import read_flags
from nst_tf.commands.plain import read_plainly
from nst_tf.imaging.scene import landscape
from nst_tf.imaging.write import save_image

PLAIN = [
    "a.jpg -o b.jpg",
    "a.jpg b.jpg --output out",
    "-o out --style night a.jpg",
    "--strength 0.5 --size 64 --keep-colors --threads 2 --jobs 1 a.jpg -o b.png",
    "a.jpg -o b.png --depth 16 --profile keep --engine onnxruntime --quiet",
    "a.jpg -o b.png --painting c.jpg --model d.tflite --max-megapixels 1e2",
    "a.jpg -o b.png --mix night=0.5,wave=0.5 --resume --overwrite",
    "s3://b/a -o out --manifest m.csv --workers 3 --ray head:6379 --report r.jsonl",
    "ä.jpg -o 1 --strength nan --size 007",
]
FOR_TYRO = [
    "",
    "--help",
    "a.jpg",
    "-o b.jpg",
    "a.jpg -o",
    "a.jpg -o b.jpg --ray",
    "a.jpg -o b.jpg --ray --quiet",
    "a.jpg -o b.jpg -o c.jpg",
    "a.jpg -o b.jpg --output c.jpg",
    "a.jpg -o b.jpg c.jpg",
    "a.jpg -o=b.jpg",
    "a.jpg --output=b.jpg",
    "a.jpg -ob.jpg",
    "a.jpg -o b.jpg --size x",
    "a.jpg -o b.jpg --size 1.5",
    "a.jpg -o b.jpg --strength -1",
    "a.jpg -o b.jpg --depth 12",
    "a.jpg -o b.jpg --keep_colors",
    "a.jpg -o b.jpg --no-quiet",
    "a.jpg -o b.jpg --photos c.jpg",
    "a.jpg -o b.jpg --unknown 1",
    "- -o -",
    "-- a.jpg -o b.jpg",
]


def by_tyro(words):
    return read_flags(Flags, words, command="stylize", description="")


def same(one, other):
    """Compare jobs by their text: nan is not nan, and one is the other's subclass."""
    return str(dataclasses.asdict(one)) == str(dataclasses.asdict(other))


@pytest.mark.parametrize("line", PLAIN)
def test_plain_words_are_read_as_tyro_reads_them(line):
    words = line.split()
    found = read_plainly(Job, words)
    assert type(found) is Job
    assert same(found, by_tyro(words))


@pytest.mark.parametrize("line", FOR_TYRO)
def test_all_other_words_are_left_to_tyro(line):
    assert read_plainly(Job, line.split()) is None
    assert read_plainly(Job, ["a.jpg", "-o", ""]) is None


def test_random_words_are_read_as_tyro_reads_them_or_not_at_all(capsys):
    draw, plain = random.Random(0), 0
    flags = [f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(Job)]
    values = ["a.jpg", "1", "0.5", "x", "-1", "8", "keep", "true", "", "nan", "--"]
    for _ in range(150):
        words = ["a.jpg", "-o", "b.jpg"][: draw.choice((1, 3, 3, 3))]
        for _ in range(draw.randint(0, 3)):
            words += [draw.choice(flags), draw.choice(values)][: draw.choice((1, 2))]
        draw.random() < 0.3 and words.reverse()
        found = read_plainly(Job, words)
        if found is not None:
            plain += 1
            assert same(found, by_tyro(words)), words
    assert plain > 20


def test_a_command_of_flags_alone_takes_no_other_words():
    assert read_plainly(Listing, ["--names"]) == Listing(names=True)
    assert read_plainly(Listing, []) == Listing()
    assert read_plainly(Listing, ["x"]) is None


def test_painting_a_photograph_loads_no_tyro(tmp_path):
    save_image(tmp_path / "p.png", landscape(48, 64))
    code = (
        "import sys; from nst_tf.cli import main; code = main(sys.argv[1:]);"
        "assert code == 0 and 'tyro' not in sys.modules, code"
    )
    words = ["stylize", "p.png", "-o", "q.png", "--style", "udnie", "--quiet"]
    command = [sys.executable, "-c", code, *words]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "q.png").is_file()
