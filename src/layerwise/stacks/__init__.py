"""Networks of vectors that begin with energy models or learn without labels, and the plans by which they do."""
