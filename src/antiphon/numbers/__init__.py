"""Plain arrays in, plain arrays out: search, nDCG, factorization, a map."""
