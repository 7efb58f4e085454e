"""Whether adapting a network to its wearer pays, and how many minutes of labels it takes."""
