"""What a job file may say, and reading it with every problem at its line."""
