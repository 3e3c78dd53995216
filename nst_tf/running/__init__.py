"""One way to run: the training step, callbacks, checkpoints, logs."""
