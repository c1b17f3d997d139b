"""The demo: two models of real flight records, every row explained, checked and drawn."""
