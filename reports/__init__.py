"""What a run becomes: statistics, comparisons, and the pages and files that people and machines read."""
