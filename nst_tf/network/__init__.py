"""The transform network and its trained models."""
