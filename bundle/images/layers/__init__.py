"""One layer of an image: its stream, its changes and whiteouts, the files that layers make together."""
