"""The one reading of a carried bundle: each byte is compared, and goes to the registry or the Engine as it comes by."""
