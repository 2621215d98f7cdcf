"""Files of the authors' released code and of RegMix: their tables and configurations in, laws and mixtures out."""
