"""The rehearsal of an installation in throwaway targets."""
