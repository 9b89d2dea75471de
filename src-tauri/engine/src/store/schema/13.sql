-- Which of the secrets in the keychain are in force (`provider/secrets.rs`).
ALTER TABLE environment_integration ADD COLUMN secrets_generation INTEGER NOT NULL DEFAULT 0;
