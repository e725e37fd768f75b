"""The demo company: realistic, generated from a fixed seed over real postal codes and industries."""
