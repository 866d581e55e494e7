"""`init`: a project of one's own, empty or made from what one has."""
