"""Training of feed-forward style networks."""
