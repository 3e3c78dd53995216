"""Style statistics: one class a loss."""
