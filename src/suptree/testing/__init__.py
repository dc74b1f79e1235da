"""The testing kit: a virtual clock, wait-for-event helpers, and a leak check (for pytest and by hand)."""
