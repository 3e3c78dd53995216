"""Chromium, and the page that it opens: on the server, and alone with LiteRT.js."""

import functools

import pytest

from nst_export.formats.web import export_web
from nst_export.runtime.stylizer import bundled
from nst_tf.settings.checks import InputError
from scripts.page import find_chromium, still
from tests.nst_export.web.browser import DESKTOP, FLAGS, opened
from tests.serving import encoded, serving


@pytest.fixture(scope="module")
def browsers():
    """Start Chromium with flags."""
    path = find_chromium()
    if path is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield functools.partial(playwright.chromium.launch, executable_path=path)


@pytest.fixture(scope="module")
def chromium(browsers):
    browser = browsers(args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The browser-only folder."""
    path = tmp_path_factory.mktemp("web") / "site"
    try:
        export_web(bundled(), path)
    except InputError as error:
        if "npm" not in str(error):
            raise
        pytest.skip(f"LiteRT.js is not at hand: {error}")
    return path


@pytest.fixture(scope="module", params=["server", "browser"])
def address(request, chromium, tmp_path_factory):
    if request.param == "server":
        with serving(tmp_path_factory.mktemp("serve"), "--max-bytes", "3000000") as (
            _,
            where,
        ):
            yield where
        return
    with still(request.getfixturevalue("folder")) as where:
        yield where


@pytest.fixture(scope="module", params=["server", "browser"])
def any_address(request, chromium, for_any, tmp_path_factory):
    """The page of a model for any painting."""
    model = for_any[2] / "any.tflite"
    if request.param == "server":
        with serving(tmp_path_factory.mktemp("any"), model) as (_, where):
            yield where
        return
    path = tmp_path_factory.mktemp("any-web") / "site"
    try:
        export_web(model, path)
    except InputError as error:
        if "npm" not in str(error):
            raise
        pytest.skip(f"LiteRT.js is not at hand: {error}")
    with still(path) as where:
        yield where


@pytest.fixture
def page(chromium, address):
    """The page at desktop size; it must load nothing from elsewhere, nor fail."""
    yield from opened(chromium, address, DESKTOP)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(height=97, width=130))
    return path
