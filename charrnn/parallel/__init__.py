"""Groups of processes that work on the same arrays, and the collectives they need."""
