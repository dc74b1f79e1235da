"""Python peers, a module each, with those of the workloads that they can do. What they cannot, they leave out."""
