"""What leaves training: the artifact, its variants in other precisions, and the Triton repository."""
