"""Per-image optimisation."""
