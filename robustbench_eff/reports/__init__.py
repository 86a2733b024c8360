"""What a person or a program reads: tables, JSON, progress, errors and plots."""
