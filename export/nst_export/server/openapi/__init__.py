"""The OpenAPI document of the server, a module a family of routes."""
