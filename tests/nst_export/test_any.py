"""Models for any painting: named styles, paintings and blends by vectors."""

import dataclasses
import json

import httpx
import numpy as np
import pytest

from nst_export.export import export_model
from nst_export.formats.web import write_web
from nst_export.runtime.clip import ClipStylizer
from nst_export.runtime.encoder import PaintingEncoder
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_export.server.models import Models
from nst_export.settings import ExportSettings
from nst_tf.cli import main
from nst_tf.imaging.read import load_image
from nst_tf.imaging.seen import seen
from nst_tf.imaging.write import save_image
from nst_tf.network.vectors import by_vectors, kernels_hash, put_vectors, vectors_of
from nst_tf.settings.checks import InputError
from nst_tf.style_file import StyleVector, from_text, read_style
from tests.helpers import scene
from tests.nst_export.trained import TRAINED, expected, vector_of
from tests.serving import encoded, refused, serving


@pytest.fixture(scope="module")
def model(for_any):
    return for_any[2] / "any.tflite"


@pytest.fixture(scope="module")
def encoder(for_any):
    return PaintingEncoder(for_any[2] / "any-encoder.tflite")


@pytest.fixture
def night(for_any, tmp_path):
    """The file of a style that fits."""
    network = for_any[0]
    draw = np.random.default_rng(4)
    vector = vectors_of(network)[2] + 0.1 * draw.standard_normal(
        vectors_of(network).shape[1]
    )
    path = tmp_path / "night.style.json"
    vector = vector.astype("float32")
    style = StyleVector("night", vector, kernels_hash(network), "A. Painter")
    style.write(path)
    return path, vector


def painted(network, photo, vector, share=0.0):
    """Return what Keras paints by a vector at a share of the photograph."""
    own = vectors_of(network)[0]
    row = [share, *(share * own + (1 - share) * vector)]
    return expected(by_vectors(network), photo, row)


def words(*parts):
    return [str(part) for part in parts]


def test_a_large_file_is_seen_as_its_pixels_are(encoder, tmp_path):
    art = np.kron(scene(240, 320, seed=9), np.ones((6, 6, 1), "float32"))
    path = tmp_path / "large.jpg"
    save_image(path, art)
    found, expected = encoder(path), encoder(load_image(path).pixels)
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_rows_become_vectors_and_back(for_any):
    network = for_any[0]
    vectors = vectors_of(network)
    photo = scene(32, 40, seed=2)
    row = [0.25, 0.5, 0, 0, 0.25, 0]
    same = [0.25, *(np.asarray(row) @ vectors)]
    np.testing.assert_allclose(
        expected(by_vectors(network), photo, same),
        expected(network, photo, row),
        atol=1e-5,
    )
    copy = network.rebuilt()
    put_vectors(copy, vectors[::-1])
    np.testing.assert_array_equal(vectors_of(copy), vectors[::-1])
    assert kernels_hash(copy) == kernels_hash(network)
    copy.layers[-3].set_weights([2 * w for w in copy.layers[-3].get_weights()])
    changed = next(x for x in copy.layers if x.name == "down2")
    changed.set_weights([2 * w for w in changed.get_weights()])
    assert kernels_hash(copy) != kernels_hash(network)


def test_a_painting_is_one_more_style_of_the_file(for_any, model, encoder):
    network, keras_encoder, _ = for_any
    art, photo = scene(300, 400, seed=5), scene(48, 40, seed=6)
    vector = vector_of(network, keras_encoder, art)
    np.testing.assert_allclose(encoder(art), vector, atol=5e-3 * np.abs(vector).max())
    stylizer = Stylizer.load(model)
    assert stylizer.styles == []
    with_art = stylizer.with_styles([encoder.style(art, "mine")])
    assert (with_art.styles, stylizer.styles) == (["mine"], [])
    for strength in (0.0, 0.6, 1.0):
        got = with_art(photo, mix_weights(["mine"], {"mine": 1.0}, strength=strength))
        wanted = painted(network, photo, encoder(art), 1.0 - strength)
        np.testing.assert_allclose(got, wanted, atol=1e-3)
    # The film's door gives the same.
    frame = ClipStylizer(with_art, [0.4, 0.6])(photo, 0.0)
    np.testing.assert_allclose(
        frame, painted(network, photo, encoder(art), 0.4), atol=1e-2
    )


def test_blends_and_strength_are_sums_of_vectors(
    for_any, model, encoder, night, tmp_path, capsys
):
    network = for_any[0]
    path, vector = night
    art, photo = tmp_path / "mine.png", tmp_path / "photo.png"
    save_image(art, scene(80, 64, seed=7))
    save_image(photo, scene(40, 48, seed=8))
    out = tmp_path / "out.png"
    mix = f"{art}=1,{path}=3"
    given = ("stylize", photo, "--model", model, "--mix", mix, "--strength", "0.5")
    assert main(words(*given, "-o", out)) == 0
    blend = 0.25 * encoder(art) + 0.75 * vector
    wanted = painted(network, load_image(photo).pixels, blend, 0.5)
    np.testing.assert_allclose(load_image(out).pixels, wanted, atol=3e-3)
    capsys.readouterr()


def check_encoders(folder, encoder, network):
    """Check that all files make of a painting what the encoder makes of it."""
    onnxruntime = pytest.importorskip("onnxruntime")
    tf = pytest.importorskip("tensorflow")
    art = scene(300, 500, seed=9)
    view, vector = seen(art), vector_of(network, encoder, art)[None]
    session = onnxruntime.InferenceSession(folder / "any-encoder.onnx")
    found = [session.run(["vector"], {"painting": view})[0]]
    saved = tf.saved_model.load(str(folder / "saved_model" / "any-encoder" / "1"))
    found.append(saved.signatures["serving_default"](painting=view)["vector"])
    for each in found:
        np.testing.assert_allclose(each, vector, atol=1e-4 * np.abs(vector).max())
    small = folder / "any-encoder-int8.tflite"
    assert small.stat().st_size < 0.7 * (folder / "any-encoder.tflite").stat().st_size
    found = PaintingEncoder(small)(art)
    np.testing.assert_allclose(found, vector[0], atol=5e-2 * np.abs(vector).max())


def test_named_styles_are_in_the_files_and_in_files_of_one_style(
    for_any, night, tmp_path
):
    network, encoder, _ = for_any
    path, vector = night
    trained = TRAINED | {"name": "any", "styles": [], "any": encoder.size}
    formats = ("litert", "litert-int8", "onnx", "saved_model")
    settings = ExportSettings(formats=formats, vectors=[path])
    photo = scene(48, 40, seed=6)
    card = export_model(
        network, trained, tmp_path / "more", [photo], settings, encoder=encoder
    )
    wanted = painted(network, photo, vector)
    for file in ("any.tflite", "any.onnx", "saved_model/any/1"):
        # OpenVINO's bfloat16 is another test's.
        engine = "onnxruntime" if "onnx" in file else "auto"
        stylizer = Stylizer.load(tmp_path / "more" / file, engine=engine)
        assert stylizer.styles == ["night"]
        got = stylizer(photo, [0.0, 1.0])
        np.testing.assert_allclose(got, wanted, atol=1e-3)
    assert card["styles"][0]["credit"] == "A. Painter"
    encoders = ["any-encoder.tflite", "any-encoder-int8.tflite", "any-encoder.onnx"]
    encoders += ["saved_model/any-encoder"]
    assert [file["file"] for file in card["files"][:4]] == encoders
    check_encoders(tmp_path / "more", encoder, network)
    with pytest.raises(Exception, match="two styles night"):
        stylizer.with_styles([StyleVector("night", vector, "")])
    alone = dataclasses.replace(settings, formats=("litert",), style="night")
    export_model(network, trained, tmp_path / "one", [photo], alone, encoder=encoder)
    one = Stylizer.load(tmp_path / "one" / "any.tflite")
    np.testing.assert_allclose(one(photo, [0.0, 1.0]), wanted, atol=1e-3)
    assert not (tmp_path / "one" / "any-encoder.tflite").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "is damaged or no file of a style"),
        (lambda text: "[]", "is damaged or no file of a style"),
        (lambda text: "[" * 200_000, "is damaged or no file of a style"),
        (lambda text: json.dumps(json.loads(text) | {"name": ""}), "its name is ''"),
        (lambda text: json.dumps(json.loads(text) | {"name": "a/b"}), "is 'a/b'"),
        (lambda text: text.replace("style 1", "style 9"), "its kind is nst-tf style 9"),
        (
            lambda text: json.dumps(json.loads(text) | {"network": "0" * 16}),
            "was made for another network",
        ),
        (
            lambda text: json.dumps(json.loads(text) | {"vector": "AADAfw=="}),
            "not finite",
        ),
        (
            lambda text: json.dumps(json.loads(text) | {"vector": "AACAPw=="}),
            "was made for another network",
        ),
    ],
)
def test_a_style_file_that_does_not_fit_is_refused(
    model, night, tmp_path, capsys, change, said
):
    path, _ = night
    path.write_text(change(path.read_text()))
    save_image(tmp_path / "photo.png", scene(40, 48, seed=8))
    given = ("stylize", tmp_path / "photo.png", "--model", model, "--style", path)
    assert main(words(*given, "-o", tmp_path / "out.png")) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_the_gallery_takes_neither(night, tmp_path, capsys):
    save_image(tmp_path / "photo.png", scene(40, 48, seed=8))
    for flags in (("--style", night[0]), ("--mix", f"{tmp_path / 'photo.png'}=1")):
        given = ("stylize", tmp_path / "photo.png", "--model", bundled(), *flags)
        assert main(words(*given, "-o", tmp_path / "o.png")) == 2
        assert "is not for any painting" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"no model",
        lambda data: data.replace(b'{"program"', b'\xff"program"'),  # Its card.
        lambda data: bundled().read_bytes(),  # A model, of two inputs.
    ],
)
def test_a_damaged_encoder_is_named(for_any, tmp_path, change):
    data = (for_any[2] / "any-encoder.tflite").read_bytes()
    path = tmp_path / "encoder.tflite"
    path.write_bytes(change(data))
    assert path.read_bytes() != data
    with pytest.raises(InputError, match=r"encoder.tflite is damaged or no encoder"):
        PaintingEncoder(path)


def test_the_encoder_of_another_model_is_refused_wherever_it_is_opened(
    for_any, model, tmp_path, capsys
):
    data = (for_any[2] / "any-encoder.tflite").read_bytes()
    mine = Stylizer.load(model).card["network"].encode()
    assert data.count(mine) == 1
    copy = tmp_path / "any.tflite"
    copy.write_bytes(model.read_bytes())
    (tmp_path / "any-encoder.tflite").write_bytes(data.replace(mine, mine[::-1]))
    reason = r"any-encoder\.tflite is another model's than .*any\.tflite"
    with pytest.raises(InputError, match=reason):
        Models([copy], workers=1, threads=1)
    with pytest.raises(InputError, match=reason):
        write_web(copy, tmp_path / "web")
    save_image(tmp_path / "a.png", scene(40, 48))
    words = ["stylize", str(tmp_path / "a.png"), "--painting", str(tmp_path / "a.png")]
    assert main([*words, "--model", str(copy), "-o", str(tmp_path / "out.png")]) == 2
    assert "is another model's than" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("even", [0.0, 0.5, 1.0])
def test_an_even_painting_gives_a_picture(model, encoder, even):
    stylizer = Stylizer.load(model)
    art = np.full((16, 16, 3), even, "float32")
    with_art = stylizer.with_styles([encoder.style(art, "even")])
    picture = with_art(scene(40, 48, seed=8), [0.0, 1.0])
    assert np.isfinite(picture).all()


def test_a_vector_is_the_same_after_its_file(night, for_any):
    path, vector = night
    network = for_any[0]
    card = {"any": len(vector), "network": kernels_hash(network), "name": "any"}
    found = read_style(path, card)
    np.testing.assert_array_equal(found.vector, vector)
    np.testing.assert_array_equal(
        from_text(json.loads(path.read_text())["vector"]), vector
    )
    assert path.stat().st_size < 20_000


def test_the_server_takes_a_painting_with_the_photograph(
    for_any, model, encoder, tmp_path
):
    photo, art = encoded(seed=3), encoded("WEBP", 90, 70, seed=4, lossless=True)
    with (
        serving(tmp_path, model) as (_, address),
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        listed = http.get("/styles").json()["models"]
        assert [(x["name"], x["paintings"], x["styles"]) for x in listed] == [
            ("any", True, [])
        ]

        def post(files, **fields):
            return http.post("/stylize", files=files, data=fields)

        given = {"image": ("a.png", photo), "painting": ("b.webp", art)}
        stylizer = Stylizer.load(model)
        pixels, vector = load(photo), encoder(load(art))
        stylizer = stylizer.with_styles([StyleVector("x", vector, "")])
        for fields, strength in (
            ({}, 1.0),
            ({"mix": "painting=1"}, 1.0),
            ({"style": "painting", "strength": "0.5"}, 0.5),
        ):
            answer = post(given, **fields, format="png")
            assert answer.status_code == 200, answer.text
            wanted = stylizer(pixels, [1 - strength, strength])
            assert np.abs(load(answer.content) - wanted).max() < 0.004
        refused(post({"image": ("a.png", photo)}), 422, "send a painting")
        broken = given | {"painting": ("b.png", art[: len(art) // 2])}
        refused(post(broken), 422, "the painting")
        text = given | {"painting": ("b.png", b"words")}
        refused(post(text), 415, "the painting")
        refused(post(given | {"other": ("c.png", art)}), 400, "form")
        other = {"image": ("a.png", photo), "photo": ("b.png", art)}
        refused(post(other), 422, "'image' and 'painting'")
        refused(post(given, mix="painting=1,udnie=1"), 422, "there is no style udnie")


def test_paintings_become_styles_of_a_server_that_allows_it(
    for_any, model, encoder, tmp_path
):
    photo, art = encoded(seed=3), encoded("WEBP", 90, 70, seed=4, lossless=True)
    kept, stylizer = tmp_path / "kept", Stylizer.load(model)
    kept.mkdir()
    (kept / "other.style.json").write_text("{}")
    vector = encoder(load(art))
    mine = stylizer.with_styles([StyleVector("mine", vector, "")])
    files = {"painting": ("b.webp", art)}

    def check(http):
        """The style paints, is listed with its credit, and has a thumbnail."""
        fields = {"style": "mine", "format": "png"}
        answer = http.post("/stylize", files={"image": ("a.png", photo)}, data=fields)
        assert answer.status_code == 200, answer.text
        wanted = mine(load(photo), [0.0, 1.0])
        assert np.abs(load(answer.content) - wanted).max() < 0.004
        (listed,) = http.get("/styles").json()["models"][0]["styles"]
        assert (listed["name"], listed["credit"]) == ("mine", "A. Painter")
        assert http.get(f"/{listed['thumbnail']}").status_code == 200

    def add(http, given=files, **fields):
        return http.post("/styles", files=given, data=fields)

    flags = (model, "--allow-new-styles", kept)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with (
        serving(tmp_path / "one", *flags) as (_, address),
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        answer = add(http, name="mine", credit="A. Painter", licence="CC0")
        assert answer.status_code == 201, answer.text
        assert answer.json() == {"model": "any", "style": "mine"}
        check(http)
        assert "post" in http.get("/openapi.json").json()["paths"]["/styles"]
        refused(add(http, name="mine"), 409, "a style mine already")
        refused(add(http, name="other"), 409, "a style other already")
        refused(add(http, name="painting"), 422, "name must be")
        refused(add(http, name="../x"), 422, "name must be")
        refused(add(http), 422, "name must be")
        refused(add(http, name="x", model="no"), 422, "there is no model no")
        refused(add(http, name="x", size="3"), 422, "there is no field 'size'")
        half = {"painting": ("b.webp", art[: len(art) // 2])}
        refused(add(http, half, name="x"), 422, "the painting")
        refused(add(http, {"painting": ("b", b"words")}, name="x"), 415, "painting")
        refused(add(http, {"image": ("b", photo)}, name="x"), 422, "named 'painting'")
        refused(http.post("/styles", content=art), 415, "multipart/form-data")
    style = read_style(kept / "mine.style.json", stylizer.card)
    np.testing.assert_array_equal(style.vector, vector)
    assert (style.credit, style.licence) == ("A. Painter", "CC0")
    # Added by hand, it would be confused with the paintings that come with requests.
    style._replace(name="painting").write(kept / "painting.style.json")
    assert sorted(x.name for x in kept.iterdir()) == [
        "mine.style.json",
        "other.style.json",
        "painting.style.json",
    ]
    with (  # It is there after a new start, and what is damaged is left out.
        serving(tmp_path / "two", *flags) as (_, address),
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        check(http)
    said = (tmp_path / "two" / "log.txt").read_text()
    assert "other.style.json is left out" in said
    assert "painting.style.json is left out of any: no style may be called" in said


def test_new_styles_need_a_folder_and_a_model_that_takes_them(
    for_any, model, tmp_path, capsys
):
    with serving(tmp_path, model) as (_, address):
        files = {"painting": ("b.png", encoded())}
        answer = httpx.post(f"{address}/styles", files=files, data={"name": "x"})
    refused(answer, 405, "Method Not Allowed")
    flags = ["--port", "0", "--allow-new-styles"]
    assert main(["serve", str(bundled()), *flags, str(tmp_path)]) == 2
    assert "need a model for any painting" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="2"):
        main(["serve", str(model), *flags, str(tmp_path / "file")])
    assert "not a folder" in capsys.readouterr().err


def test_the_gallery_s_server_says_that_it_takes_none(tmp_path):
    given = {"image": ("a.png", encoded()), "painting": ("b.png", encoded())}
    with serving(tmp_path) as (_, address):
        answer = httpx.post(f"{address}/stylize", files=given, timeout=60)
    refused(answer, 422, "the model gallery is not for any painting")


def load(data):
    """Return the pixels of a file's bytes."""
    from nst_tf.imaging.read import decode_image

    return decode_image(data).pixels
