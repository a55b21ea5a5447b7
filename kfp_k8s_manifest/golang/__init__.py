"""Numbers, times and sizes as Go counts and writes them."""
