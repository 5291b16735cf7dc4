"""The formats that photographs come in: what their headers say, and their pixels."""
