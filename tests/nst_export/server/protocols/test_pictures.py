"""`/stylize` and `/styles`: photographs in, pictures out, and what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from nst_tf.imaging.color import keep_colors
from nst_tf.imaging.scene import landscape
from nst_tf.imaging.write import encode_image
from tests.helpers import scene
from tests.serving import bomb, decoded, encoded, post, psnr, refused, weights_of


def test_a_picture_is_what_the_runtime_paints(http, stylizer):
    photo = decoded(encoded(height=50, width=67))
    answer = post(http, encoded(height=50, width=67), style="udnie")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    expected = stylizer(photo, weights_of(stylizer, udnie=1.0))
    assert np.abs(decoded(answer.content) - expected).max() < 0.5 / 255 + 1e-3
    steps = [part.split(";")[0] for part in answer.headers["server-timing"].split(", ")]
    assert steps == ["queue", "decode", "paint", "encode"]


def test_mix_strength_size_and_kept_colours_arrive(http, stylizer):
    data = encoded(height=60, width=80)
    answer = post(
        http,
        data,
        mix="udnie=1,the_scream=3",
        strength="0.5",
        size="80",
        keep_colors="true",
    )
    photo = decoded(data)
    mix = weights_of(stylizer, 0.5, udnie=0.25, the_scream=0.75)
    expected = keep_colors(stylizer(photo, mix), photo)
    assert np.abs(decoded(answer.content) - expected).max() < 0.5 / 255 + 1e-3
    assert decoded(post(http, data, style="udnie", size="40").content).shape[:2] == (
        30,
        40,
    )


def test_the_draft_of_a_large_photograph_arrives(http, stylizer):
    data = encoded(height=120, width=150)
    weights = weights_of(stylizer, udnie=1.0)
    found = decoded(post(http, data, style="udnie", draft="60").content)
    expected = stylizer(decoded(data), weights, draft=60)
    assert np.abs(found - expected).max() < 0.5 / 255 + 1e-3
    assert psnr(found, stylizer(decoded(data), weights)) < 30


def test_frames_of_a_clip_differ_less_and_another_clip_or_style_begins_anew(http):
    # A dark thing that comes in changes the tone of the rest of a photograph.
    frame = landscape(96, 128)
    entered = np.where(np.arange(128)[:, None] >= 96, 0.0, frame)
    frames = [encode_image(each, "PNG") for each in (frame, entered)]

    def painted(index, **fields):
        answer = post(http, frames[index], **{"style": "udnie", **fields})
        return decoded(answer.content)

    alone = [painted(index) for index in range(2)]
    clip = [painted(index, clip="film-1") for index in range(2)]
    assert psnr(clip[0], alone[0]) > 38  # Weights of 16 bits and of 8.

    def change(pictures):
        return np.abs(pictures[1] - pictures[0])[:, :64].mean()

    assert change(clip) < change(alone)
    assert psnr(painted(1, clip="film_2"), alone[1]) > 38
    scream = {"style": "the_scream"}
    assert psnr(painted(1, clip="film-1", **scream), painted(1, **scream)) > 38


def test_a_clip_needs_a_name_that_may_be_one(http):
    for name in ("", "a b", "x" * 65):
        refused(post(http, style="udnie", clip=name), 422, "clip must be 1 to 64")


def test_the_whole_body_may_be_the_photograph(http):
    data = encoded()
    form = post(http, data, style="great_wave")
    raw = http.post(
        "/stylize",
        params={"style": "great_wave"},
        content=data,
        headers={"Content-Type": "image/png"},
    )
    assert raw.content == form.content


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("JPEG", "jpeg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "png")],
)
def test_the_answer_has_the_photographs_format_or_the_one_asked_for(
    http, kind, expected
):
    data = encoded(kind)
    answer = post(http, data, style="udnie")
    assert answer.headers["content-type"] == f"image/{expected}"
    other = post(http, data, style="udnie", format="webp")
    assert other.headers["content-type"] == "image/webp"
    assert decoded(other.content).shape == (48, 64, 3)


def test_alpha_is_kept_and_large_photographs_are_reduced(http):
    rgba = np.uint8(255 * np.dstack([scene(40, 60), np.full((40, 60), 0.5)]))
    stream = io.BytesIO()
    Image.fromarray(rgba).save(stream, "PNG")
    picture = decoded(post(http, stream.getvalue(), style="udnie").content)
    assert picture.shape == (40, 60, 4)
    assert np.abs(picture[..., 3] - 0.5).max() < 0.01
    large = post(http, encoded("JPEG", 300, 600), style="udnie")
    assert decoded(large.content).shape == (128, 256, 3)


def test_styles_are_listed_with_credit_and_thumbnail(http, stylizer):
    found = http.get("/styles").json()
    assert found["limits"]["max_size"] == 256
    model, for_any = found["models"]
    assert (model["paintings"], for_any["paintings"]) == (False, True)
    assert for_any["name"] == "any"
    for each in (model, for_any):  # The second for mixing with paintings.
        assert [style["name"] for style in each["styles"]] == stylizer.styles
    assert model["styles"][0]["credit"].startswith("Vincent van Gogh")
    pictures = set()
    for style in model["styles"]:
        answer = http.get(f"/{style['thumbnail']}")
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"] == "image/jpeg"
        assert decoded(answer.content).shape == (192, 288, 3)
        pictures.add(answer.content)
    assert len(pictures) == len(stylizer.styles)
    assert pictures == {http.get(f"/{s['thumbnail']}").content for s in model["styles"]}
    refused(http.get("/styles/gallery/1/no.jpg"), 404, "no style no")
    refused(http.get("/styles/gallery/9/udnie.jpg"), 404)


@pytest.mark.parametrize("text", ["True", "TRUE", "1", "yes", "on"])
def test_yes_and_no_may_be_said_as_languages_and_forms_say_them(http, text):
    said = {"True": "False", "TRUE": "FALSE", "1": "0", "yes": "no", "on": "off"}
    kept = post(http, style="udnie", keep_colors=text)
    assert kept.content == post(http, style="udnie", keep_colors="true").content
    painted = post(http, style="udnie", keep_colors=said[text])
    assert painted.content == post(http, style="udnie").content != kept.content


@pytest.mark.parametrize("name", ["jpg", "JPG", "JPEG"])
def test_jpg_is_jpeg(http, name):
    answer = post(http, style="udnie", format=name)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content == post(http, style="udnie", format="jpeg").content


@pytest.mark.parametrize(
    ("image", "fields", "status", "message"),
    [
        (b"This is no image.", {}, 415, "not an image of a format that is read"),
        (b"", {}, 415, "is empty"),
        (encoded("GIF"), {}, 415, "is a GIF file"),
        (encoded()[:-400], {}, 422, "is damaged"),
        (encoded("JPEG", 96, 96)[:900], {}, 422, "is damaged"),
        (bomb(), {}, 413, "12000x12000 = 144 megapixels; at most 40"),
        (encoded(height=8), {}, 422, "the short side must have at least 16"),
        (None, {"style": "udni"}, 422, "did you mean udnie?"),
        (None, {"mix": "udnie=1,no=1", "style": None}, 422, "there is no style no"),
        (None, {"mix": "udnie", "style": None}, 422, "NAME=SHARE"),
        (None, {"mix": "udnie=nan", "style": None}, 422, "must be a number"),
        (None, {"mix": "udnie=1,udnie=2", "style": None}, 422, "twice"),
        (None, {"style": None}, 422, "give style or mix"),
        (None, {"mix": "udnie=1"}, 422, "give style or mix"),
        (None, {"strength": "2"}, 422, "strength must be in 0..1.5, got 2"),
        (None, {"strength": "NaN"}, 422, "strength must be in 0..1.5"),
        (None, {"size": "8"}, 422, "whole number in 16..256"),
        (None, {"size": "9" * 5000}, 422, "whole number in 16..256"),
        (None, {"size": "²"}, 422, "whole number"),
        (None, {"mix": "a=1," * 5000, "style": None}, 422, "has 20000 characters"),
        (None, {"keep_colors": "perhaps"}, 422, "true or false"),
        (None, {"draft": "15"}, 422, "draft must be a whole number in 16..256"),
        (None, {"draft": "64", "clip": "a"}, 422, "frames of a clip have no draft"),
        (None, {"format": "gif"}, 422, "jpeg, png, webp"),
        (None, {"model": "no"}, 422, "no model no; there are gallery"),
        (None, {"stile": "udnie"}, 422, "no field 'stile'"),
    ],
)
def test_a_photograph_or_field_that_can_not_be_used_is_refused(
    http, image, fields, status, message
):
    fields = {"style": "udnie", **fields}
    given = {key: value for key, value in fields.items() if value is not None}
    refused(post(http, image, **given), status, message)
    assert http.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "image"])
def test_another_content_type_is_refused(http, kind):
    answer = http.post("/stylize", content=b"{}", headers={"Content-Type": kind})
    refused(answer, 415, "send the photograph as image/*")


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"--x", 400),
        ("multipart/form-data; boundary=x", b"--y\r\n\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nno\r\n\r\n--x--", 400),
        ("multipart/form-data; boundary=x", b"", 422),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="image"\r\n\r\nz\r\n--x--',
            422,
        ),
    ],
)
def test_a_broken_form_is_refused(http, kind, body, status):
    answer = http.post("/stylize", content=body, headers={"Content-Type": kind})
    refused(answer, status)


def test_a_field_given_twice_is_refused(http):
    answer = http.post(
        "/stylize?style=udnie&style=udnie",
        content=encoded(),
        headers={"Content-Type": "image/png"},
    )
    refused(answer, 422, "given twice")
    files = {"image": ("a.png", encoded())}
    answer = http.post("/stylize?style=udnie", files=files, data={"style": "udnie"})
    refused(answer, 422, "given twice")
