"""One network: its name, folder, evaluation, predictions, export and proof."""
