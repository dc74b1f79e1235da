"""Long runs: what a system in trouble holds stays flat, and its promises hold."""
