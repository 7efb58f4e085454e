"""What a search costs, and whether it pays: found networks against others at equal minutes."""
