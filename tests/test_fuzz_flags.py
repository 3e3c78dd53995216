"""The first cases of scripts/fuzz_flags.py: random flags of the commands."""

import os
import subprocess
import sys

import pytest

from scripts import fuzz_flags
from tests.helpers import ROOT


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    fuzz_flags.prepare(folder)
    return folder


COUNT = 5
"""The first of the 500 that scripts/fuzz_flags.py runs."""

ENVIRONMENT = {**os.environ, "PYTHONPATH": fuzz_flags.PYTHONPATH}
# The loss network that ships is enough, and each case reads its weights.
ENVIRONMENT.pop("NST_VGG19_WEIGHTS", None)


# Sound flags of fetch-weights would download.
@pytest.mark.parametrize(
    "command", [x for x in fuzz_flags.BASES if x != "fetch-weights"]
)
def test_random_flags_are_done_or_refused_and_lose_nothing(inputs, command):
    words = ["--only", command, "--count", str(COUNT), "--inputs", str(inputs)]
    words += ["--limit", "60"]  # A loaded machine is no fault.
    words += ["--eager"]  # What graphs do is not the flags' concern.
    done = subprocess.run(
        [sys.executable, "-m", "scripts.fuzz_flags", *words],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-1000:]
    assert f"{command}: {COUNT} cases" in done.stdout
