-- The addresses that the client secret in the keychain was given for, as JSON. It is sent to no other. Empty: to none.
ALTER TABLE environment_integration ADD COLUMN client_secret_origins TEXT NOT NULL DEFAULT '{}';
