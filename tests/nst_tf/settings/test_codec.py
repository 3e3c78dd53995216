"""The codec: settings to plain values and back, and what it refuses."""

import dataclasses
import json
from pathlib import Path
from typing import Literal

import pytest

from nst_tf.settings.checks import InputError, at_least, reject
from nst_tf.settings.codec import from_plain, to_plain


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    image: Path
    share: float = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    kind: Literal["round", "square"] = "round"
    depth: int = 1
    layers: tuple[str, ...] = ("a", "b")

    def __post_init__(self) -> None:
        reject(at_least("depth", self.depth, 1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer:
    name: str = "none"
    big: bool = False
    rate: float | None = 0.5
    file: Path | None = None
    numbers: tuple[float, ...] | None = None
    rows: tuple[Row, ...] = ()
    inner: Inner = dataclasses.field(
        default_factory=lambda: Inner(kind="square", depth=3)
    )


FULL = Outer(
    name="full",
    big=True,
    rate=None,
    file=Path("/a/b"),
    numbers=(1.0, 2.5),
    rows=(Row(image=Path("x.png")), Row(image=Path("y.png"), share=0.25)),
    inner=Inner(depth=7, layers=()),
)


@pytest.mark.parametrize("settings", [Outer(), FULL])
def test_settings_survive_json_exactly(settings):
    assert from_plain(Outer, json.loads(json.dumps(to_plain(settings)))) == settings


def test_plain_values_are_nested_as_the_classes_are():
    assert to_plain(FULL) == {
        "name": "full",
        "big": True,
        "rate": None,
        "file": "/a/b",
        "numbers": [1.0, 2.5],
        "rows": [
            {"image": "x.png", "share": 1.0},
            {"image": "y.png", "share": 0.25},
        ],
        "inner": {"kind": "round", "depth": 7, "layers": []},
    }


def test_what_a_table_leaves_out_is_what_the_outer_class_says():
    # Not Inner's own default, which is round and 1.
    assert from_plain(Outer, {"inner": {"layers": ["c"]}}) == Outer(
        inner=Inner(kind="square", depth=3, layers=("c",))
    )


def test_whole_numbers_become_floats_where_these_are_meant():
    settings = from_plain(Outer, {"rate": 2, "numbers": [1, 2]})
    assert [type(settings.rate), *map(type, settings.numbers)] == [float] * 3


def test_all_that_is_wrong_is_named_at_its_place_at_once():
    values = {
        "nam": "x",
        "big": 1,
        "rate": True,
        "numbers": [1.0, "two"],
        "rows": [{"image": "x.png", "shares": 1}, {}, 5],
        "inner": {"depth": 0},
    }
    with pytest.raises(InputError) as caught:
        from_plain(Outer, values)
    assert str(caught.value).split("; ") == [
        "there is no key nam",
        "did you mean name?",
        "big must be bool, got 1",
        "rate must be float, got True",
        "numbers[1] must be float, got 'two'",
        "there is no key rows[0].shares",
        "did you mean share?",
        "rows[1].image is missing",
        "rows[2] must be a table",
        "inner: depth must be at least 1, got 0",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "^settings must be a table$"),
        ({"inner": 3}, "^inner must be a table$"),
        ({"inner": {"kind": "flat"}}, "^inner.kind must be one of round, square, got"),
        ({"file": 3}, "^file must be Path, got 3$"),
        ({"name": None}, "^name must be str, got None$"),
        ({"rows": "x.png"}, "^rows must be tuple, got"),
    ],
)
def test_values_of_another_kind_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        from_plain(Outer, values)


def test_paths_start_where_they_were_written_and_may_name_variables(monkeypatch):
    monkeypatch.delenv("NST_TEST_UNSET", raising=False)
    monkeypatch.setenv("NST_TEST_HERE", "art")
    for text, path in (
        ("a.png", Path("/recipes/a.png")),
        ("/b/a.png", Path("/b/a.png")),
        ("${NST_TEST_UNSET:-else}/a.png", Path("/recipes/else/a.png")),
        ("${NST_TEST_HERE}/a.png", Path.cwd() / "art/a.png"),
    ):
        assert from_plain(Row, {"image": text}, folder=Path("/recipes")).image == path


def test_without_a_folder_paths_stay_as_they_are():
    assert from_plain(Row, {"image": "${HOME}/a.png"}).image == Path("${HOME}/a.png")


def test_values_that_are_settings_already_stay():
    row = Row(image=Path("x.png"))
    settings = from_plain(Outer, {"rows": (row,)}, folder=Path("/recipes"))
    assert settings.rows[0] is row
