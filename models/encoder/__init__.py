"""The encoder and its files: pretrained weights, trimmed vocabulary, graphs in int8, fp16 and fp32, and back."""
