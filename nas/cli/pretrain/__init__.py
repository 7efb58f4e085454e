"""The verbs of `pretrain`, one file a sensor."""
