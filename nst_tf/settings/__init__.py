"""Frozen dataclasses that hold every default; standard library only."""
