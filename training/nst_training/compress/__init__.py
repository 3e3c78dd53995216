"""Compressing a VGG into the loss network that ships: ranks, closed form, training."""
