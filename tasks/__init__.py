"""The graph: what depends on what, when a step is up to date, what the operator sees."""
