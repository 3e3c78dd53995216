"""Looking into runs and networks: sheets of settings, features, the live page."""
