"""Stage evaluate: the test pictures, what each method makes of them, and how good that is."""
