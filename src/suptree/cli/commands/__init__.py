"""One file per command: `add_parser` declares it, `execute` runs it and returns the exit code."""
