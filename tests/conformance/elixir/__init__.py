"""The families that Elixir judges: each is a package below, and holds its family as `FAMILY`."""
