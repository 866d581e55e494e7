"""Throwaway targets for rehearsals: a namespace without network, a registry, a cluster."""
