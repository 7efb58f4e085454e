"""What encoders of acceleration learn from one of PPG, and what is left of it on a chip."""
