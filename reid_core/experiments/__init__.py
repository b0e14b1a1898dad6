"""Score a model on a data set, end to end: embeddings, protocol, corruptions, files and figures."""
