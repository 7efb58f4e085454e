"""TFLite files: writing, reading, running."""
