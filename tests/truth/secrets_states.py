"""The states of the secrets rows of the table of truth."""
