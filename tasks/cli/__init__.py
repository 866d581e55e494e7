"""The command line: the checkout's and the zipapp's entry, the reporter, the summary."""
