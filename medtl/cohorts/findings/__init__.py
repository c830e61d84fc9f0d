"""What about the cases would mislead: pure functions of cases, thumbnails and looks. `checks` conducts them."""
