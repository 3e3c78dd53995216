"""The style-transfer loss: extractor, terms, targets, exact tiles."""
