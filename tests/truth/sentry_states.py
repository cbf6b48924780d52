"""The states of the sentry rows of the table of truth."""
