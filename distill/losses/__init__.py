"""What a student learns from: terms of a loss, each a small function, and mixes of them."""
