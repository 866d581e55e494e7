"""Specs made from what people have: image lists, compose files, Hauler manifests, Zarf packages."""
