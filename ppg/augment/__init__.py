"""What a training sees beside the recordings themselves."""
