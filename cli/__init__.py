"""The door: the `gonogo` command, for shells and pipelines. Opens the console only when asked to."""
