"""leafshap under the names of other libraries."""
