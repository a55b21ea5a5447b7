"""Work with a live cluster, or in its place: list, extract, run, and look for what is missing."""
