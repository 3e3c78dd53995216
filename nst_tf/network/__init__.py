"""The transform network and its trained models.

Loading this package registers the classes of saved networks with Keras.
"""

from nst_tf.network import transform

__all__ = ["transform"]
