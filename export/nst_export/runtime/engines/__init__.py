"""What runs an exported model: one module an engine."""
