"""The pytest plugin of suptree (a placeholder until the testing kit lands)."""
