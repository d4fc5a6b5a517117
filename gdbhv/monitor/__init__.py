"""``monitor`` commands: one topic a file, each command one decorated function that returns lines."""
