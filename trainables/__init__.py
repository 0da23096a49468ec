"""What is trained: methods, models, data sets and the trainer that puts them together."""
