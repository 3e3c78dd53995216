"""Flags over settings: read against a base that other flags choose."""

import dataclasses
from pathlib import Path

import pytest
import tyro

from nst_tf.commands.flags import read_flags
from nst_tf.settings.checks import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What the command reads."""

    photo: tyro.conf.Positional[Path]
    """A file."""
    base: str = "plain"
    """Where the settings start."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a table."""

    word: str = "row"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    """Settings inside."""

    share: float = 0.5
    """A share."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides the result."""

    least: int = 1
    """Smallest count."""
    count: int = 2
    """A count."""
    rows: tuple[Row, ...] = ()
    """A table."""
    inner: Inner = dataclasses.field(default_factory=Inner)
    """More."""

    def __post_init__(self) -> None:
        if self.count < self.least:
            raise InputError(f"count must be at least {self.least}")


BASES = {
    "plain": Settings(),
    "high": Settings(least=10, count=20, rows=(Row(),), inner=Inner(share=0.25)),
}


def choose(given):
    name = given.get("base", "plain")
    if name not in BASES:
        raise InputError(f"there is no base {name}")
    return BASES[name]


def read(text, **options):
    options = {"settings": BASES["plain"], "base": choose, **options}
    return read_flags(
        Job, text.split(), command="count", description="Count.", **options
    )


def test_flags_change_the_settings_that_another_flag_chooses():
    job, settings = read("a.png --base high --share 0.75")
    assert job == Job(photo=Path("a.png"), base="high")
    assert settings == dataclasses.replace(BASES["high"], inner=Inner(share=0.75))


def test_without_a_base_flags_change_the_defaults():
    assert read("a.png --count 5", base=None)[1] == Settings(count=5)


def test_flags_are_checked_against_the_chosen_settings_alone(capsys):
    # The defaults would refuse the count.
    assert read("a.png --base high --least 0 --count 0")[1].count == 0
    with pytest.raises(SystemExit, match="2"):
        read("a.png --base high --count 5")
    assert "count must be at least 10" in capsys.readouterr().err


def test_the_base_is_told_the_flags_that_are_given_and_no_others():
    told = []
    read("a.png --count 3", base=lambda given: told.append(given) or Settings())
    read("a.png --base plain", base=lambda given: told.append(given) or Settings())
    assert told == [
        {"photo": Path("a.png"), "count": 3},
        {"photo": Path("a.png"), "base": "plain"},
    ]


@pytest.mark.parametrize("text", ["a.png --count many", "a.png --what", "a.png --base"])
def test_words_that_do_not_parse_are_refused_once(capsys, text):
    with pytest.raises(SystemExit, match="2"):
        read(text)
    said = capsys.readouterr().err
    assert text.split()[1] in said
    assert said.count("For full helptext") == 1


def test_a_base_that_is_refused_is_an_error_but_not_beside_help(capsys):
    with pytest.raises(InputError, match="there is no base low"):
        read("a.png --base low")
    with pytest.raises(SystemExit, match="0"):
        read("--base low --help")
    assert "(default: 2)" in capsys.readouterr().out


def test_help_shows_the_chosen_settings_and_no_table(capsys):
    with pytest.raises(SystemExit, match="0"):
        read("--base high --help")
    said = capsys.readouterr().out
    assert "usage: nst count" in said
    assert "(default: 20)" in said
    assert "rows" not in said


def test_a_table_is_no_flag(capsys):
    with pytest.raises(SystemExit, match="2"):
        read("a.png --base high --rows.0.word x")
    assert "rows" in capsys.readouterr().err


def test_a_job_may_stand_alone():
    job = read_flags(Job, ["a.png"], command="count", description="Count.")
    assert job == Job(photo=Path("a.png"))


# Groups.

GROUPS = {"first": ("base", "photo", "share"), "numbers": ("count",)}


def test_groups_show_the_flags_in_their_order_and_the_rest_last(capsys):
    with pytest.raises(SystemExit, match="0"):
        read("--base high --help", groups=GROUPS)
    said = capsys.readouterr().out.partition("Count.")[2]
    order = ["first options", "--base", "--share", "numbers options", "--count"]
    order += ["other options", "--least"]
    places = [said.index(word) for word in order]
    assert places == sorted(places)
    assert "(default: 20)" in said
    assert "(default: 0.25)" in said
    assert "rows" not in said


@pytest.mark.parametrize("text", ["a.png", "--share 0.75 a.png --base high --count 11"])
def test_groups_change_nothing_of_what_is_read(text):
    assert read(text, groups=GROUPS) == read(text)


def test_settings_in_groups_are_checked(capsys):
    with pytest.raises(SystemExit, match="2"):
        read("a.png --base high --count 5", groups=GROUPS)
    assert "flags: count must be at least 10" in capsys.readouterr().err


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counting(Job):
    """A job that decides a setting by itself."""

    least: float = 0.5
    """Not what the settings call so."""


def test_hidden_settings_are_no_flags_and_stay_as_the_base_has_them(capsys):
    groups = {"first": ("base", "photo", "least"), "rest": ("count", "share")}
    words = ["a.png", "--least", "0.75", "--base", "high"]
    asked = {"command": "count", "description": "Count.", "groups": groups}
    asked |= {"settings": BASES["plain"], "base": choose}
    job, settings = read_flags(Counting, words, hidden=("least",), **asked)
    assert job.least == 0.75
    assert settings == BASES["high"]
    with pytest.raises(SystemExit, match="2"):
        read_flags(Job, words, hidden=("least",), **asked | {"groups": GROUPS})
    assert "--least" in capsys.readouterr().err
