"""CoreML packages: what can be known of them where nothing runs them."""

import json
import sys

import pytest

from nst_export.export import export_model
from nst_export.formats.coreml import OPERATIONS
from nst_export.settings import ExportSettings
from tests.helpers import scene
from tests.nst_export.trained import TRAINED


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac compares the file")
@pytest.mark.filterwarnings("ignore")  # coremltools calls what is deprecated.
def test_an_image_and_weights_go_in_and_an_image_comes_out(network, tmp_path):
    import coremltools

    settings = ExportSettings(formats=("coreml",), license="cc0-1.0")
    folder = tmp_path / "out"
    card = export_model(network, TRAINED, folder, [scene(48, 64, seed=1)], settings)
    (entry,) = card["files"]
    assert entry["file"] == "pair.mlpackage"
    assert entry["checked"] is False
    assert entry["psnr"] is entry["max_difference"] is entry["engine"] is None
    assert "conv" in entry["operations"]
    assert set(entry["operations"]) <= OPERATIONS
    assert not {"custom_layer", "while_loop", "cond"} & OPERATIONS
    row = next(
        line
        for line in (folder / "README.md").read_text().splitlines()
        if line.startswith("| pair.mlpackage")
    )
    assert "not checked" in row
    model = coremltools.models.MLModel(
        str(folder / "pair.mlpackage"), skip_model_load=True
    )
    about = model.get_spec().description
    rgb = coremltools.proto.FeatureTypes_pb2.ImageFeatureType.RGB
    image, style = about.input
    assert (image.name, image.type.imageType.colorSpace) == ("image", rgb)
    sides = image.type.imageType.imageSizeRange
    for side in (sides.widthRange, sides.heightRange):
        assert (side.lowerBound, side.upperBound) == (16, 2048)
    assert (style.name, list(style.type.multiArrayType.shape)) == ("style", [1, 3])
    (picture,) = about.output
    assert (picture.name, picture.type.imageType.colorSpace) == ("picture", rgb)
    assert about.metadata.license == "cc0-1.0"
    inside = json.loads(about.metadata.userDefined["nst-tf"])
    assert inside["styles"] == TRAINED["styles"]
    # float16: two bytes a weight, and the program.
    weights = sum(weight.size for weight in network.get_weights())
    assert 2 * weights < entry["bytes"] < 2 * weights + 300_000
