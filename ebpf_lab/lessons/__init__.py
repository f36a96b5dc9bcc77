"""The course: exercises that are judged by what they measure, and how far a learner has come."""
