"""Accuracy and speed runs, too long for tests: each one command, its result kept as JSON."""
