"""What the server speaks: one module a protocol."""
