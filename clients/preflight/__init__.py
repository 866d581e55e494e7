"""Checks of a site before anything is changed there."""
