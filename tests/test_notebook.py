"""The notebook of the docs, executed with tiny sizes."""

import re

import nbformat
import pytest

from tests.helpers import PYTHONPATH, ROOT

SMALL = """
PHOTO, PAINTING, PHOTOGRAPHS = None, None, None
SIZE, STEPS = 64, 2
WIDTH, TRAIN_SIZE, TRAIN_STEPS = 0.125, 32, 2
"""


@pytest.mark.usefixtures("bare")  # With the loss network that ships.
@pytest.mark.filterwarnings("ignore")  # Of Jupyter's own packages.
def test_the_notebook_optimises_trains_exports_and_paints(tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(ROOT / "docs" / "python.ipynb", as_version=4)
    (parameters,) = (
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    )
    names = re.findall(r"\b[A-Z_]{4,}\b", SMALL)
    assert all(name in parameters.source for name in names)
    parameters.source = SMALL
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out.output_type == "error"]
    shown = [out for out in outputs if "image/png" in out.get("data", {})]
    assert len(shown) >= 6  # Photograph, optimised, sheet, and three paintings.
    text = "".join(out.get("text", "") for out in outputs)
    assert re.search(r"own\.tflite: \d+\.\d\d MB, \d+\.\d dB", text)
    (work,) = tmp_path.glob("nst-*")
    for name in ("optimised.png", "painted.png", "model/model.keras"):
        assert (work / name).stat().st_size > 0
    assert (work / "files" / "README.md").is_file()
