"""The styles that ship, one safetensors file each."""
