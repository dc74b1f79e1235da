"""The command line: `suptree run | tree | info | config`."""
