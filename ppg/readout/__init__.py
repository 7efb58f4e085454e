"""From logits to beats a minute: classes, decoding, smoothing, confidence."""
