"""The states of the redis rows of the table of truth."""
