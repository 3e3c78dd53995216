"""What `nst export` may be asked for."""

import pytest

from nst_export.settings import ExportSettings
from nst_tf import InputError


@pytest.mark.parametrize("size", ["512", "30x32", "8x8", "axb", "512x"])
def test_sizes_that_no_network_takes_are_refused(size):
    with pytest.raises(InputError, match="multiples of 4"):
        ExportSettings(sizes=(size,))
