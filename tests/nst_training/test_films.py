"""Films of a trained network: painters, scorecard, going on, what is refused."""

import json
import math
import shutil

import numpy as np
import pytest

from nst_tf import InputError, NetworkSettings, build_network, cli
from nst_tf.imaging.write import save_image
from nst_tf.network.trained import load_model
from nst_tf.settings.codec import to_plain
from nst_tf.video.statistics import MEMORY
from nst_training.films import Networks, evaluate_films
from nst_training.settings import StyleSettings, TrainSettings
from tests.films import moving, write_film
from tests.helpers import SMALL_LOSS, scene


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of a style, its painting, a recipe, two films and photographs."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "model").mkdir()
    (folder / "photos").mkdir()
    painting = folder / "night.png"
    save_image(painting, scene(40, 40))
    for index in range(2):
        save_image(folder / "photos" / f"{index}.png", scene(60, 80, seed=5 + index))
        frames = moving(4 + index)[index:]
        write_film(folder / f"film{index}.mkv", frames, codec="ffv1")
    settings = TrainSettings(
        styles=(StyleSettings(name="night", image=painting),),
        width=0.125,
        loss=SMALL_LOSS,
    )
    network = build_network(NetworkSettings(styles=1, width=0.125))
    network.save(folder / "model" / "model.keras")
    recipe = to_plain(settings)
    card = {"name": "one", "styles": recipe["styles"], "recipe": recipe}
    (folder / "model" / "model.json").write_text(json.dumps(card))
    (folder / "one.toml").write_text(
        'name = "one"\n[[styles]]\nname = "night"\nimage = "night.png"\n'
    )
    return folder


@pytest.fixture(scope="module")
def networks(folder):
    """The model as a painter."""
    return Networks(load_model(folder / "model"))


def test_frames_painted_alone_are_those_of_photographs(networks):
    painter = networks.painter(1, memory=0.0)
    for index, frame in enumerate(moving(2)):
        expected = networks.model(frame, [0.0, 1.0])
        assert abs(painter(frame, 0.04 * index) - expected).max() < 1e-4


def test_statistics_are_the_mean_over_the_last_moments(networks):
    painter, share = networks.painter(1), math.exp(-0.04 / MEMORY)
    frames, none = moving(3), np.zeros((1, 3, 1, networks.channels), "float32")
    mean = networks(frames[0], 1, none)[1]
    painter(frames[0], 0.0)
    for index in (1, 2):
        given = np.concatenate([mean, np.full_like(mean[:, :1], share)], axis=1)
        picture, own = networks(frames[index], 1, given)
        mean = share * mean + (1 - share) * own
        assert abs(painter(frames[index], 0.04 * index) - picture).max() < 1e-5
        np.testing.assert_allclose(painter.statistics.mean, mean, rtol=1e-4, atol=1e-5)
    again = networks.painter(1)
    again.restore({key: np.array(value) for key, value in painter.state().items()})
    last = moving(4)[3]
    assert (again(last, 0.12) == painter(last, 0.12)).all()


def evaluate(folder, *flags, out="card.json"):
    words = ("evaluate", folder / "model", "--recipe", folder / "one.toml", "-o")
    words += (folder / out, "--size", 64, "--frames", 3, *flags)
    try:
        return cli.main([str(word) for word in words])
    except SystemExit as left:
        return left.code


def test_films_are_scored(random_vgg, folder, capsys):
    films = [folder / f"film{index}.mkv" for index in range(2)]
    assert evaluate(folder, "--video", *films) == 0
    said = capsys.readouterr().out
    assert said.count("night, film") == 2
    assert "median and worst, over alone" in said
    card = json.loads((folder / "card.json").read_text())
    assert (card["model"], card["base"], card["frames"]) == ("one", "alone", 3)
    found = [(entry["style"], entry["clip"]) for entry in card["clips"]]
    assert found == [("night", "film0"), ("night", "film1")]
    for entry in card["clips"]:
        assert set(entry["ways"]) == {"alone", "statistics", "stabilized"}
        for way in entry["ways"].values():
            assert way["far"] is None  # Three frames are no ten.
            assert min(way["near"], way["content"], way["style"]) > 0
        expected = entry["ways"]["stabilized"]["near"] / entry["ways"]["alone"]["near"]
        assert entry["over_base"]["stabilized"]["near"] == pytest.approx(expected)
    assert set(card["still"]["night"]) == {"alone", "statistics", "stabilized"}
    assert not (folder / "card.part.json").exists()


def test_without_a_film_clips_are_made_of_the_photographs(random_vgg, folder):
    photos = ("--photos", folder / "photos", "--quiet")
    assert evaluate(folder, "--video", *photos, out="made.json") == 0
    card = json.loads((folder / "made.json").read_text())
    assert len(card["clips"]) == 10
    assert card["styles"]["night"]["statistics"]["over_input"]["near"]["median"] > 0


def test_another_model_is_what_figures_are_told_over(random_vgg, folder):
    other = folder / "other"
    shutil.copytree(folder / "model", other)
    flags = ("--video", folder / "film0.mkv", "--against", other, "--quiet")
    assert evaluate(folder, *flags, out="against.json") == 0
    card = json.loads((folder / "against.json").read_text())
    assert card["base"] == "against"
    alone = card["styles"]["night"]["alone"]["over_base"]
    # It is the same model.
    assert all(x["worst"] == pytest.approx(1.0) for x in alone.values())
    values = json.loads((other / "model.json").read_text())
    values["styles"][0]["name"] = "day"
    (other / "model.json").write_text(json.dumps(values))
    assert evaluate(folder, *flags, out="against.json") == 2


def test_an_evaluation_that_was_killed_goes_on(random_vgg, folder):
    state = folder / "killed.part.json"

    def run(observer, count=3, **options):
        given = {"size": 64, "count": count, "state": state, "observer": observer}
        films = [folder / f"film{index}.mkv" for index in range(2)]
        paintings = [folder / "night.png"]
        return evaluate_films(
            folder / "model", films, [], paintings, **given, **options
        )

    def killed(found):
        raise KeyboardInterrupt

    whole = run(lambda found: None)
    with pytest.raises(KeyboardInterrupt):
        run(killed)
    with pytest.raises(InputError, match="another model, other films or other settin"):
        run(killed, count=2, resume=True)
    seen = []
    assert run(seen.append, resume=True) == whole
    assert [found.clip for found in seen] == ["film1"]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ((), "give --photos, a folder of photographs"),
        (("--video",), "give --photos, a folder of photographs"),
        (("--video", "none.mp4"), "there is no file none.mp4"),
        (("--video", "x.mp4", "--frames", "1"), "frames must be at least 2, got 1"),
        (("--video", "x.mp4", "--beside", "x"), "--against compares films"),
        (("--video", "x.mp4", "--strengths", "0.5"), "are for pictures, not for"),
        (("--video", "x.mp4", "--blends", "0.5"), "are for pictures, not for"),
        (("--photos", "x", "--against", "x"), "--against is for --video"),
        (("--photos", "photos", "--blends", "0.5"), "two styles, and night is alone"),
    ],
)
def test_what_does_not_fit_is_refused(folder, capsys, monkeypatch, flags, reason):
    monkeypatch.chdir(folder)
    before = set(folder.iterdir())
    assert evaluate(folder, *flags, out="refused.json") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert reason in said
    assert "Traceback" not in said
    assert set(folder.iterdir()) == before
