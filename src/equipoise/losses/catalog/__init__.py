"""The shelf in words: every loss with what it is for, torch's own included."""
