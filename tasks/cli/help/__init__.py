"""What `help` shows and what shells complete, both made of the tables of commands, groups and variables."""
