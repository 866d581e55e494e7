"""The version of this program, as bundles record it."""

VERSION = "0.1.0"
