"""Files to pictures: PNG, JPEG, BMP, TIFF, DICOM, NIfTI. Runs in reading processes; knows nothing of labels."""
