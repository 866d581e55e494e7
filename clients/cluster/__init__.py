"""Kubernetes and Helm: kubectl, helm, releases coming up, what is wrong when they don't."""
