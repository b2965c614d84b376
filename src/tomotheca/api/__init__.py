"""What programs talk to: GraphQL, REST, files and S3 over HTTP."""
