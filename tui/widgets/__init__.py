"""One module a widget, with its style beside its code."""
