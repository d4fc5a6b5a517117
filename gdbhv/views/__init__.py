"""Pure functions from data to lines of text: models never format, views never fetch."""
