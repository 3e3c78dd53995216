"""Export of trained style networks, and the runtime that applies them."""
