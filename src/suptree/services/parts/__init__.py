"""What several services stand on: values and machines that decide, and do nothing themselves.

Nothing here reads a clock (`now` is a parameter) or starts a process, and nothing here
knows a service.
"""
