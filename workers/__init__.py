"""The consumers: one package a capability, none imports another."""
