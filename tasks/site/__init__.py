"""The air-gapped side as the steps see it: the carried bundle, the registry, the cluster."""
