"""The console: screens, widgets, styles. Holds no rule and opens no file."""
