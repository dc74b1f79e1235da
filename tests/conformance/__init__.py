"""suptree against the real BEAM: random programs of several kinds, run on both and compared trace by trace."""
