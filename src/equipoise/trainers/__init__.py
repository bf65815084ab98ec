"""What a trainer leaves undone for a balanced loss, one trainer per file; each file needs its trainer installed."""
