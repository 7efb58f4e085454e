"""The verbs of encoders: `pretrain`, one file a sensor, and `embed`."""
