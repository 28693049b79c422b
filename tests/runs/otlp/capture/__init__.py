"""Programs that made the fixtures. They need packages that no other test does."""
