"""One package a format: its container, and rules to and from the hub."""
