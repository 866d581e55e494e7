"""Copying images from a source to a sink: manifests, fetching, pushing, what is attached."""
