"""suptree against the real BEAM: the same supervision scenarios on both, compared trace by trace."""
