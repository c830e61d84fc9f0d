"""What a network's view of a cohort says about it: doubtful labels, copies in disguise, strangers. No torch here."""
