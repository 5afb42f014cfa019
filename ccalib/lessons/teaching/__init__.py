"""What a teacher prints: the page that needs no computer, and exams with permuted numbers."""
