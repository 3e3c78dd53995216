"""The arrows between modules, the lazy imports, the public names."""

import ast
import graphlib
import importlib
import subprocess
import sys

import pytest

import nst_tf
from tests.helpers import ROOT

STANDS_ON = {
    "settings": set(),
    "files": {"settings"},
    "places": {"settings"},
    "storage": {"settings"},
    "machine": set(),
    "backend": {"machine", "settings"},
    "imaging": {"settings", "files"},
    "optimizers": {"backend"},
    "loss": {"backend", "settings"},
    "network": {"backend", "files", "imaging", "settings"},
    "running": {"backend", "files", "loss", "settings"},
    "painting": {
        *("backend", "files", "imaging", "loss", "optimizers", "running", "settings"),
    },
    "video": {"files", "imaging", "running", "settings"},
    "inspection": {"backend", "imaging", "loss", "painting", "settings"},
    "commands": {
        *("backend", "files", "imaging", "inspection", "loss", "painting"),
        *("machine", "places", "running", "settings"),
    },
    "cli": {"commands", "settings"},
    "__main__": {"cli"},
    "style_file": {"files", "settings"},
    "shipped": set(),
    "registration": {"network"},
}
"""The rooms of nst_tf and what each may import, besides itself."""
SOURCES = {
    "nst_tf": ROOT / "nst_tf",
    "nst_training": ROOT / "training/nst_training",
    "nst_export": ROOT / "export/nst_export",
}


def imports(path, types=True):
    """Return the modules that a file imports anywhere, for types alone too."""
    found = set()
    tree = ast.parse(path.read_text())
    if not types:
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files(package):
    """Return the Python files of a package with their dotted names, sorted."""
    top = SOURCES[package]
    return [
        (path, ".".join((package, *path.relative_to(top).with_suffix("").parts)))
        for path in sorted(top.rglob("*.py"))
    ]


def room(name):
    """Return the room of nst_tf that a dotted name lies in, None for the package."""
    return name.split(".")[1] if "." in name else None


@pytest.mark.parametrize(("path", "name"), files("nst_tf"))
def test_every_file_stands_in_a_room_and_imports_only_what_that_stands_on(path, name):
    if room(name) == "__init__":
        return  # The table of public names, loaded one by one.
    allowed = STANDS_ON[room(name)] | {room(name)}
    inside = {
        room(found)
        for found in imports(path)
        if found.startswith("nst_tf.") and room(found) != "__version__"
    }
    assert inside <= allowed


def test_the_rooms_have_no_cycle():
    graphlib.TopologicalSorter(STANDS_ON).prepare()


@pytest.mark.parametrize("package", SOURCES)
def test_modules_import_each_other_in_no_circle(package):
    arrows = {}
    known = {name for one in SOURCES for _, name in files(one)}
    for path, name in files(package):
        found = {x for x in imports(path, types=False) if x in known and x != name}
        arrows[name] = found
    graphlib.TopologicalSorter(arrows).prepare()


def test_only_imaging_knows_pillow():
    for path, name in files("nst_tf"):
        if room(name) != "imaging":
            assert not any(x.split(".")[0] == "PIL" for x in imports(path)), path


def test_the_core_imports_neither_tensorflow_nor_jax_at_its_top():
    for path, _ in files("nst_tf"):
        top = {
            alias.name
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not top & {"tensorflow", "jax", "torch"}, path


@pytest.mark.parametrize(
    ("package", "others"),
    [
        ("nst_tf", ("nst_training", "nst_export")),
        ("nst_training", ("nst_export",)),
        ("nst_export", ("nst_training",)),
    ],
)
def test_no_import_runs_upward_or_across(package, others):
    for path, _ in files(package):
        assert not any(name.startswith(others) for name in imports(path)), path


def test_only_bulk_painting_knows_storages_and_ray():
    for path, name in files("nst_export"):
        if not name.startswith("nst_export.bulk."):
            found = {module.split(".")[0] for module in imports(path)}
            assert not found & {"fsspec", "pyarrow", "ray"}, path


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
