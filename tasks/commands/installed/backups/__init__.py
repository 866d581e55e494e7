"""Backups of an installation: made, made by themselves, thinned out, and tried out."""
