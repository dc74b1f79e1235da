"""The pytest plugin of suptree; options, fixtures and the leak check land here."""
