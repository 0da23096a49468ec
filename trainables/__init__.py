"""Methods, models and data sets, and the trainer that runs them."""
