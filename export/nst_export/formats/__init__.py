"""Exporters: one module a file format."""
