"""Pure functions of a gramian in numpy float64: what the aggregators solve."""
