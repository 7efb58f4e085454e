"""Long segments of PPG and acceleration for pre-training: on disk, by person, drawn at random."""
