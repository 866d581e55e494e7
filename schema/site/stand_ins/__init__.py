"""What stands for what is only known inside: where charts are rendered outside, and in a rehearsal."""
