"""One module per page or family of pages: a function from what is asked to a frozen Context."""
