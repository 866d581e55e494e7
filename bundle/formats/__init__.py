"""Notations of the outside, read strictly: JSON, fields of it, X.509, sizes, versions."""
