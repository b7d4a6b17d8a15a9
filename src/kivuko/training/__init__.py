"""Loss, data and model to a trained student."""
