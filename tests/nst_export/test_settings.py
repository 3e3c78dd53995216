"""What `nst export` may be asked for."""

import pytest

from nst_export.settings import FORMATS, ExportSettings
from nst_tf import InputError


@pytest.mark.parametrize("size", ["512", "30x32", "8x8", "axb", "512x"])
def test_sizes_that_no_network_takes_are_refused(size):
    with pytest.raises(InputError, match="multiples of 4"):
        ExportSettings(sizes=(size,))


@pytest.mark.parametrize("name", ["litert-tiles", "web"])
def test_what_there_is_not_of_one_style_is_refused_when_it_is_asked_for(name):
    with pytest.raises(InputError, match=f"no {name} of one style alone"):
        ExportSettings(formats=("litert", name), style="night")
    assert ExportSettings(style="night").formats == FORMATS


def test_what_is_named_twice_and_strange_licences_are_refused():
    with pytest.raises(InputError, match="sizes names 64x48 twice"):
        ExportSettings(sizes=("64x48", "32x32", "64x48"))
    with pytest.raises(InputError, match="names litert twice"):
        ExportSettings(formats=("litert", "onnx", "litert"))
    with pytest.raises(InputError, match=r"such as apache-2\.0"):
        ExportSettings(license="Apache License")
