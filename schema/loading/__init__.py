"""From the text of a spec to the typed spec: interpolation, validation, rules."""
