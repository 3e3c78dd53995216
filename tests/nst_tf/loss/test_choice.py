"""Which loss network is used: VGG-19 where it is at hand, never by a download."""

import dataclasses

import pytest

from nst_tf import ExtractorSettings, InputError, LossSettings, OptimizeSettings
from nst_tf.loss import choice
from nst_tf.loss.choice import (
    choose_network,
    describe_choice,
    find_weights,
    geometry_of,
    networks_of,
    with_network,
)

AUTO = ExtractorSettings()
CACHED = "models/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"


def test_without_vgg_it_is_lite_and_a_line_says_how_to_get_the_other(bare):
    assert choose_network(AUTO).network == "lite"
    assert "nst fetch-weights" in describe_choice(AUTO)


def test_a_file_that_keras_has_cached_is_found(bare):
    path = bare / CACHED
    path.parent.mkdir()
    path.touch()
    assert find_weights(dataclasses.replace(AUTO, network="vgg19")) == path
    assert choose_network(AUTO).network == "vgg19"
    assert describe_choice(AUTO) == ""


def test_a_file_of_the_environment_goes_before_the_cache_and_a_given_one_first(
    bare, monkeypatch, tmp_path
):
    monkeypatch.setenv("NST_VGG19_WEIGHTS", "named.h5")
    chosen = choose_network(AUTO)
    assert chosen.network == "vgg19"
    assert str(find_weights(chosen)) == "named.h5"
    given = dataclasses.replace(AUTO, vgg_weights=tmp_path / "given.h5")
    assert find_weights(choose_network(given)) == tmp_path / "given.h5"


@pytest.mark.parametrize("network", ["vgg19", "vgg16", "lite"])
def test_a_named_network_is_used_whatever_is_at_hand(bare, network):
    named = dataclasses.replace(AUTO, network=network)
    assert choose_network(named) == named
    assert describe_choice(named) == ""


def test_average_pooling_needs_vgg_itself(bare):
    with pytest.raises(InputError, match=r"average pooling.*nst fetch-weights"):
        choose_network(dataclasses.replace(AUTO, pooling="average"))


def test_settings_of_a_run_keep_the_choice_and_all_else(bare):
    settings = OptimizeSettings(size=77)
    chosen = with_network(settings)
    assert chosen.extractor.network == "lite"
    assert dataclasses.replace(chosen, extractor=AUTO) == settings
    assert geometry_of(AUTO).network == "lite"


@pytest.mark.weights
def test_with_the_weights_that_lite_was_made_from_it_is_lite_first(real_vgg):
    given = dataclasses.replace(AUTO, vgg_weights=real_vgg)
    assert choose_network(given).network == "lite-vgg19"
    assert networks_of(given) == ("lite", "vgg19")
    assert geometry_of(given).network == "vgg19"
    average = dataclasses.replace(given, pooling="average")
    assert choose_network(average).network == "vgg19"


def test_weights_that_lite_was_not_made_from_are_used_alone(random_vgg):
    assert networks_of(AUTO) == ("vgg19",)


@pytest.mark.parametrize(
    ("network", "layer", "chosen"),
    [
        ("auto", "block4_conv2", "lite-vgg19"),
        ("auto", "block5_conv4", "vgg19"),
        ("lite-vgg19", "block5_conv4", "lite-vgg19"),
    ],
)
def test_where_the_loss_looks_deeper_than_lite_auto_is_vgg_alone(
    random_vgg, monkeypatch, network, layer, chosen
):
    monkeypatch.setattr(choice, "made_lite", lambda path: True)
    settings = OptimizeSettings(
        loss=LossSettings(content_layers=(layer,)),
        extractor=ExtractorSettings(network=network),
    )
    assert with_network(settings).extractor.network == chosen
