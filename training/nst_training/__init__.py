"""Training of feed-forward style networks; empty until the network arrives."""
