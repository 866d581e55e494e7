"""Helm values: files, merging, checks against the chart."""
