"""Steps of the air-gapped side, from verify to receipt."""
