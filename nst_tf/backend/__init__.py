"""What differs between backends, processors and C libraries."""
