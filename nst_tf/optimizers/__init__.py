"""Keras optimizers of the project."""
