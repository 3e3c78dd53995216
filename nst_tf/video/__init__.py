"""Films: frames in and out, sound and times, and what holds neighbours together.

PyAV (the extra `video`) is imported where a film is opened, not before.
"""
