"""Notations of the spec: YAML with places, templates, sizes and durations, problems with their places."""
