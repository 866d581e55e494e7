"""Helm charts as files: packages that are reproducible, and artifacts as `helm push` makes them."""
