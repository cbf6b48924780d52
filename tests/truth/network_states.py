"""The states of the http, tcp and tls rows of the table of truth."""
