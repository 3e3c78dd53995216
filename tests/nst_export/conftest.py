"""A trained network, and its files in every format."""

import fcntl
import json
import os

import pytest

from nst_export.runtime.stylizer import Stylizer, bundled
from nst_export.settings import ExportSettings
from tests.helpers import scene


@pytest.fixture(scope="session")
def network():
    """A network whose norms differ between styles, as after training."""
    from tests.nst_export.trained import trained_network

    return trained_network()


@pytest.fixture(scope="session")
def exported(network, tmp_path_factory):
    """Its files in every format, and their card: made once for all test processes."""
    from nst_export.export import export_model
    from tests.nst_export.trained import TRAINED

    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    folder, returned = place / "exported" / "out", place / "exported-card.json"
    with (place / "exported.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not returned.exists():
            photos = [scene(48, 64, seed=1), scene(61, 50, seed=2)]
            settings = ExportSettings(sizes=("32x48",))
            card = export_model(network, TRAINED, folder, photos, settings)
            returned.write_text(json.dumps(card))
    return folder, json.loads(returned.read_text())


@pytest.fixture(scope="session")
def for_any(tmp_path_factory):
    """A network for any painting, its encoder, and the folder of their files."""
    from nst_export.export import export_model
    from tests.nst_export.trained import TRAINED, any_network

    network, encoder = any_network()
    folder = tmp_path_factory.mktemp("any") / "out"
    trained = TRAINED | {"name": "any", "styles": [], "any": encoder.size}
    settings = ExportSettings(formats=("litert", "litert-tiles"))
    photos = [scene(48, 64, seed=1), scene(60, 52, seed=2)]
    export_model(network, trained, folder, photos, settings, encoder=encoder)
    return network, encoder, folder


@pytest.fixture(scope="module")
def stylizer():
    """The bundled gallery."""
    return Stylizer.load(bundled())
