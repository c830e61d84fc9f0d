"""Which file has which label, patient and part: folders, tables, MedMNIST archives. Opens no image."""
