"""What differs between backends, processors and C libraries.

Whoever computes with this package imports it, so it sets what `~/.keras/keras.json` may
have otherwise: the networks are written for channels that come last, and for float32
where no precision is asked for.
"""

import keras

if keras.config.image_data_format() != "channels_last":
    keras.config.set_image_data_format("channels_last")
if keras.config.floatx() != "float32":
    keras.config.set_floatx("float32")
    # Keras makes the policy of its layers at import, from what the file says.
    keras.config.set_dtype_policy("float32")
