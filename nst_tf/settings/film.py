"""Defaults of films that are painted by optimisation. Standard library only."""

FRAME_STEPS = 12
"""Evaluations of a frame that starts from the last picture."""
STEADINESS = 1.0
"""Weight of the temporal term. At 1, a picture that differs by 0.05 (root mean square,
of 0..1) from the last one, moved along, costs as much as all of the scene's first."""
