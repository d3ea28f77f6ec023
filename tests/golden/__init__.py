"""What PyTorch computes, and the script that records it."""
