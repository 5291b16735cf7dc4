"""Shipped parameters of training and evaluation."""
