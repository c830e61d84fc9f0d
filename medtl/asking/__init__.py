"""What is asked of a finished run and how the answers are put: files into pictures, pictures of a patient together,
answers as values, for the screen, as a table. No torch; the network is `medtl.prediction`'s.
"""
