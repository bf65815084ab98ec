"""Real data: reading it, splitting it, and turning text into numbers."""
