"""What the sink `elasticsearch` consists of: templates, bulks, the client and Kibana's saved objects."""
