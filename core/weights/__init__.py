"""The shipped styles, one safetensors file each."""
