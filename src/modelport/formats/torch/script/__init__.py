"""TorchScript: archives of torch.jit.save, read by an interpreter of their code that runs nothing."""
