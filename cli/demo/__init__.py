"""A throw-away production with the five issues of 2025-05-13 really broken, and the console on it.

`keeper` is a process of its own that makes everything and takes it away again, however gonogo ends. What
it makes are real parts, each with a script in `fix/` that repairs it: `cache`, `ingest`, `shop`. `paper` is
the checklist, with what was claimed then.
"""
