"""Parsers of outside input, given what nobody wrote."""
