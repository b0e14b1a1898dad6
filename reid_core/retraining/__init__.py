"""From judgements to a versioned training set, and from two models to a decision. No torch."""
