"""One server for all tests of what it answers."""

import httpx
import pytest

from nst_export.runtime.stylizer import Stylizer, bundled
from tests.serving import serving

LIMITS = ("--max-bytes", "400000", "--max-size", "256", "--deadline", "20")


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """Where the server listens; a session has one, as its start takes seconds."""
    with serving(tmp_path_factory.mktemp("serve"), *LIMITS) as (_, where):
        yield where


@pytest.fixture(scope="session")
def http(address):
    """A client of that server."""
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def stylizer():
    """The model that the server serves."""
    return Stylizer.load(bundled())
