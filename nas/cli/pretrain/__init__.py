"""The verbs of encoders: `pretrain` and `embed`."""
