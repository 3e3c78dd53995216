"""The arrows between modules, the lazy imports, the public names."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import nst_tf

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "settings": set(),
    "console": {"files", "precision", "settings"},
    "precision": {"settings"},
    "checkpoint": {"files", "settings"},
    "color": {"settings"},
    "explore": {"extractor", "optimize", "precision", "settings"},
    "features": {"settings", "vgg_weights"},
    "files": {"settings"},
    "images": {"files", "settings"},
    "live": {"images", "optimize", "settings"},
    "sheets": {"images"},
    "vgg_weights": {"settings"},
    "sums": set(),
    "windows": set(),
    "roots": set(),
    "losses": {"roots", "settings", "sums", "windows"},
    "pixels": set(),
    "scene": set(),
    "regions": {"settings"},
    "lbfgs": set(),
    "network": {"phases", "settings", "windows"},
    "phases": {"settings", "windows"},
    "extractor": {"settings", "vgg_weights", "windows"},
    "objective": {"settings", "losses", "sums", "windows"},
    "targets": {"objective", "settings"},
    "tiles": set(),
    "tiled": {"objective", "precision", "settings", "tiles"},
    "planner": {"settings", "tiles", "vgg_weights"},
    "transfer": {"objective", "pixels", "targets"},
    "optimize": {
        "checkpoint",
        "color",
        "extractor",
        "images",
        "lbfgs",
        "losses",
        "objective",
        "pixels",
        "planner",
        "precision",
        "regions",
        "settings",
        "tiled",
        "transfer",
    },
}


def imports(path):
    """Return the modules that a file imports anywhere, for types too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "nst_tf":
            found |= {f"nst_tf.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_every_module_has_its_place_in_the_architecture():
    modules = {path.stem for path in (ROOT / "nst_tf").glob("*.py")}
    assert modules == {
        *ALLOWED,
        *("cli", "cli_evaluate", "cli_explore", "cli_export", "cli_features"),
        *("cli_serve", "cli_stylize", "cli_train"),
        "__init__",
    }


@pytest.mark.parametrize("module", ALLOWED)
def test_modules_import_only_what_they_stand_on(module):
    inside = {
        name.removeprefix("nst_tf.")
        for name in imports(ROOT / "nst_tf" / f"{module}.py")
        if name.startswith("nst_tf")
    }
    assert inside <= ALLOWED[module]


def test_only_images_and_sheets_know_pillow():
    for path in (ROOT / "nst_tf").glob("*.py"):
        if path.stem not in ("images", "sheets"):
            assert not any(name.split(".")[0] == "PIL" for name in imports(path)), path


def test_the_core_imports_neither_tensorflow_nor_jax_at_its_top():
    for path in (ROOT / "nst_tf").glob("*.py"):
        top = {
            alias.name
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not top & {"tensorflow", "jax", "torch"}, path


def test_packages_do_not_import_each_other():
    for package, other in (("training", "nst_export"), ("export", "nst_training")):
        for path in (ROOT / package).rglob("*.py"):
            assert not any(name.startswith(other) for name in imports(path))
    for path in (ROOT / "nst_tf").glob("*.py"):
        if not path.stem.startswith("cli"):
            names = imports(path)
            assert not any(n.startswith(("nst_training", "nst_export")) for n in names)


def test_importing_the_package_loads_neither_keras_nor_tensorflow():
    program = (
        "import sys, nst_tf; nst_tf.OptimizeSettings(); "
        "assert not {'keras', 'tensorflow', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_public_names_are_sorted_documented_and_there():
    assert sorted(nst_tf.__all__) == sorted(nst_tf._HOMES)
    for name in nst_tf.__all__:
        value = getattr(nst_tf, name)
        assert name == "RECIPES" or value.__doc__, name
    assert set(nst_tf.__all__) <= set(dir(nst_tf))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nst_tf.nothing


@pytest.mark.parametrize("package", ["nst_training", "nst_export"])
def test_the_other_packages_are_installed(package):
    assert importlib.import_module(package).__doc__
