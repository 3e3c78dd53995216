"""The state of a run: variables by name, whole files, other runs refused."""

import io

import keras
import numpy as np
import pytest

from nst_tf import InputError
from nst_tf.running.checkpoint import (
    StateFile,
    load_checkpoint,
    named_variables,
    read_meta,
    steps_made,
)
from nst_tf.running.identity import RunIdentity


def trained(units=3, name=None):
    """Return a small layer and its optimizer after one step."""
    layer = keras.layers.Dense(units, name="small")
    layer.build((None, 2))
    optimizer = keras.optimizers.Adam(0.1, name=name or "adam")
    optimizer.build(layer.trainable_variables)
    optimizer.apply([np.ones(v.shape, "float32") for v in layer.trainable_variables])
    return layer, optimizer


def values(layer, optimizer):
    return {
        name: np.asarray(variable)
        for name, variable in named_variables(net=layer, optimizer=optimizer).items()
    }


def test_values_come_back_by_name_whatever_keras_calls_the_optimizer(tmp_path):
    file = StateFile(tmp_path / "state.npz", RunIdentity({"seed": 1}))
    before = trained()
    file.save({"step": 7}, named_variables(net=before[0], optimizer=before[1]))
    after = trained(name="adam_3")
    assert (values(*before)["net/kernel"] != values(*after)["net/kernel"]).any()
    state = file.load()
    assert state.meta["step"] == steps_made(file.path) == 7
    file.restore(state, named_variables(net=after[0], optimizer=after[1]))
    expected, found = values(*before), values(*after)
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


def test_the_order_in_the_file_does_not_matter(tmp_path):
    file = StateFile(tmp_path / "state.npz", RunIdentity({}))
    layer, optimizer = trained()
    named = named_variables(net=layer, optimizer=optimizer)
    file.save({"step": 1}, dict(reversed(named.items())))
    kernel = np.asarray(layer.kernel)
    layer.kernel.assign(np.zeros(kernel.shape, "float32"))
    file.restore(file.load(), named)
    np.testing.assert_array_equal(np.asarray(layer.kernel), kernel)


def test_other_variables_are_refused_by_name_and_nothing_is_changed(tmp_path):
    file = StateFile(tmp_path / "state.npz", RunIdentity({}))
    layer, optimizer = trained()
    file.save({"step": 1}, named_variables(net=layer))
    kernel = np.asarray(layer.kernel)
    with pytest.raises(InputError, match="do not both have optimizer/"):
        file.restore(file.load(), named_variables(net=layer, optimizer=optimizer))
    np.testing.assert_array_equal(np.asarray(layer.kernel), kernel)


def test_the_state_of_another_run_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    StateFile(path, RunIdentity({"seed": 1})).save({"step": 1}, {})
    with pytest.raises(InputError, match=r"seed \(there 1, now 2\)"):
        StateFile(path, RunIdentity({"seed": 2})).load()


def test_without_a_path_nothing_is_kept():
    file = StateFile(None, RunIdentity({}))
    file.save({"step": 1}, {})
    assert file.load() is None


def test_bfloat16_is_kept_in_a_dtype_that_numpy_reads(tmp_path):
    file = StateFile(tmp_path / "state.npz", RunIdentity({}))
    layer = keras.layers.Dense(2, dtype="bfloat16", name="half")
    layer.build((None, 2))
    file.save({}, named_variables(net=layer))
    kept = load_checkpoint(file.path).arrays["net/kernel"]
    assert kept.dtype == "float32"
    expected = keras.ops.convert_to_numpy(keras.ops.cast(layer.kernel, "float32"))
    np.testing.assert_array_equal(kept, expected)


def _array():
    """Return a `.npy`, which NumPy reads as one array."""
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no state", b"meta", _array()])
def test_a_file_that_is_no_state_is_refused(tmp_path, data):
    path = tmp_path / "state.npz"
    path.write_bytes(data)
    with pytest.raises(InputError, match="no usable checkpoint"):
        read_meta(path)


def test_a_state_without_its_steps_is_of_another_version(tmp_path):
    path = tmp_path / "state.npz"
    StateFile(path, RunIdentity({})).save({"evaluations": 3}, {})
    with pytest.raises(InputError, match="another version wrote it"):
        steps_made(path)
